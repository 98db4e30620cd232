"""Django's PostgreSQL with a pool that is back as soon as the server is."""
