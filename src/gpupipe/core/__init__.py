"""What knows nothing above: errors, clock, names, configuration, paths, digests."""
