"""A twin of Qdrant: its Cloud's management API, and in its clusters the official client's own local mode."""
