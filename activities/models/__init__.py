"""Steps that ask language models."""
