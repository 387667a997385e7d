"""What a Temporal namespace needs for Banksman: search attributes, the sweep of leases, the current worker version."""

from deploy.temporal.bootstrap import NotPromoted, missing_search_attributes, promote, register_search_attributes
from deploy.temporal.schedules import schedule_sweep

__all__ = ["NotPromoted", "missing_search_attributes", "promote", "register_search_attributes", "schedule_sweep"]
