"""The stores of the backend: SQLite by default, PostgreSQL for a city."""
