"""Cloud Quotas: how much of Cloud Run a project may use in a region."""
