"""Steps: the YAML tree to typed steps, with every fault in its place."""
