"""What a Temporal namespace needs for Banksman: search attributes, and the current worker version."""

from deploy.temporal.bootstrap import NotPromoted, missing_search_attributes, promote, register_search_attributes

__all__ = ["NotPromoted", "missing_search_attributes", "promote", "register_search_attributes"]
