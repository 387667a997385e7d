"""How a repository does, in figures."""
