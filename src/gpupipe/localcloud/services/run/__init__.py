"""Cloud Run: the Admin API v2, the front door of its services, their metadata server."""
