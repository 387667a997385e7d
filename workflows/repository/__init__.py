"""Goals on repositories."""
