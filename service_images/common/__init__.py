"""What the three services share. It knows nothing of gpupipe and nothing of a local mode."""
