"""One goal over many repositories."""
