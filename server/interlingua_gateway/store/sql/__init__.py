"""SQLite and PostgreSQL behind one schema; its modules are imported behind the request path."""
