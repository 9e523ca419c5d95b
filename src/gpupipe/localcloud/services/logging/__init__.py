"""Cloud Logging: entries written and found."""
