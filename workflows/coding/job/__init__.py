"""The goal by which a model changes or reviews code, and people decide what becomes of it."""
