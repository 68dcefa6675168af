"""Event store: the log on SQLite and PostgreSQL; nothing else knows the eventsourcing library."""
