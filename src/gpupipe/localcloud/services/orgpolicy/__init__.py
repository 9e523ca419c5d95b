"""Organization Policy: which constraints hold for a project."""
