"""The deployment's own stores of what was observed, as investigations ask them: little at once, and nothing written."""
