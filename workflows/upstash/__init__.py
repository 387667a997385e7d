"""Goals on Upstash."""
