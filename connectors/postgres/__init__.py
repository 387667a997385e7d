"""PostgreSQL, as whoever has a connection string is let in."""
