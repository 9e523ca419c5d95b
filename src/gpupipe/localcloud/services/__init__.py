"""One package per emulated API; none imports another."""
