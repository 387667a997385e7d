"""Steps on Pulumi stacks."""
