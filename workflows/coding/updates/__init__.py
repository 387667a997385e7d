"""Updates of what a repository depends on: no model takes part."""
