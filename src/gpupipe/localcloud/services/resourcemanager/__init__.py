"""Resource Manager: projects and their policies."""
