"""What repositories use, and what they make for each other."""
