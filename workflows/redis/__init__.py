"""Goals on Redis databases, whoever sells them."""
