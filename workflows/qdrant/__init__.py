"""Goals on Qdrant."""
