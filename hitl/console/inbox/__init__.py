"""The pages of approvals: what waits, for whom, and deciding on it."""
