"""What stands around every step: policy, grants, the audit log, and the one border where errors become failures."""
