"""The embedded environment: every real server on one machine, supervised."""
