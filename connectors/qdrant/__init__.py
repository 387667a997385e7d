"""Qdrant: clusters of Qdrant Cloud by its management API, and the databases in them by the official client."""
