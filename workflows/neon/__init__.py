"""Goals on Neon."""
