"""The web page on which people see what waits for them, and decide."""
