"""A twin of GitHub: its API and git, over HTTP."""
