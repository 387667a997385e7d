"""Goals by subject: what people ask for in `goals.py`, and each workflow beside it."""
