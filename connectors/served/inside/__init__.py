"""What runs on a machine that serves a model: Python's own library alone, of any version from 3.10 on."""
