"""Steps on Upstash."""
