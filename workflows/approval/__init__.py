"""Approvals: asking people about one plan, and running one step by what they decided."""
