"""The embedded stack: every real server on one machine, supervised."""
