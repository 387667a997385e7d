"""The images that runs use, and the one function that builds them."""
