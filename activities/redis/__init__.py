"""Steps on Redis databases, whoever sells them."""
