"""Updates of what a repository depends on, made and audited by the ecosystems' own tools."""
