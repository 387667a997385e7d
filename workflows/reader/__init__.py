"""The goal by which a model reads what strangers wrote."""
