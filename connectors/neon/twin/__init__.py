"""A twin of Neon: its management API, in front of real PostgreSQL clusters that start when somebody connects."""
