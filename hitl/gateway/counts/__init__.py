"""What the gateway counts on Temporal's server, for metrics: goals, approvals, leases and queues.

Workflow code has a meter of its own, and counts with it again whatever the server did not take: a goal whose last task
was refused, because a message came just then, was counted twice in a test. So how goals and approvals end is read from
the server, where each run ends once.
"""

from hitl.gateway.counts.counts import Counts

__all__ = ["Counts"]
