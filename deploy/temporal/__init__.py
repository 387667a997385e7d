"""What Temporal needs for Banksman: search attributes, the sweep of leases, the current worker version, the pace."""

from deploy.temporal.bootstrap import NotPromoted, missing_search_attributes, promote, register_search_attributes
from deploy.temporal.pace import SETTINGS, development_server_options
from deploy.temporal.schedules import schedule_holding, schedule_redelivery, schedule_sweep

__all__ = [
    "SETTINGS",
    "NotPromoted",
    "development_server_options",
    "missing_search_attributes",
    "promote",
    "register_search_attributes",
    "schedule_holding",
    "schedule_redelivery",
    "schedule_sweep",
]
