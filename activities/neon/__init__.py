"""Steps on Neon."""
