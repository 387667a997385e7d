"""What begins on GitHub, and what is shown there."""
