"""SQLite: connections, transactions, resources."""
