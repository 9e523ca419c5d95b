"""Workflows (google.cloud.workflows.v1)."""
