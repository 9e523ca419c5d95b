"""Service Usage: which APIs are enabled on a project, and Google's service agents."""
