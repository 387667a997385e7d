"""A small, real language model with a server that nobody here wrote, for demonstrations and tests.

What it says is no measure of anything.
"""
