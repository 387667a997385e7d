"""Goals on Pulumi stacks."""
