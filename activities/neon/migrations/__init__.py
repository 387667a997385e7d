"""Migrations of Neon's databases: tried on a copy, and then carried out as they were tried."""
