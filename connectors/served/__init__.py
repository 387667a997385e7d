"""Models that are served on machines which have no way in: the relay that they dial, and what they boot."""
