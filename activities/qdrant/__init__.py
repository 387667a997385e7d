"""Steps on Qdrant."""
