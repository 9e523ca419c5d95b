"""One file a command: options become a frozen request, one function runs it, its answer is rendered."""
