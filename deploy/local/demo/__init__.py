"""`make demo`: a feature of a web service from its branch to a page that one opens, and how each failure ends."""
