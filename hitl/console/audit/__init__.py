"""The audit log, as the gateway collected it: to look at, to check, and to take a part of."""
