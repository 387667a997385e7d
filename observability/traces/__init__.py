"""Traces as people read them: what a span says, and all spans of a trace in reading order."""
