"""Who comes to the console: signing in, sessions, keys, and the gates in front of every page."""
