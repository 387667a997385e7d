"""What implements the steps of each role: a package per role, and in it a module per system."""
