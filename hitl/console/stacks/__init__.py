"""The pages of a stack's plan."""
