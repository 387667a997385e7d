"""Goals on Estuary."""
