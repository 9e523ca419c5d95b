"""IAM Credentials: short-lived tokens of service accounts."""
