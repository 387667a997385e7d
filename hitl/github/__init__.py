"""GitHub as a surface: what happens there starts goals, and shows them."""
