"""Steps on Estuary."""
