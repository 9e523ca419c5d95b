"""Workflow Executions (google.cloud.workflows.executions.v1)."""
