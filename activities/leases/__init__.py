"""Whatever has an end, and how it is ended: the part of leases that providers implement."""
