"""Training and build code of the default model bundle; nothing in gpupipe imports it."""
