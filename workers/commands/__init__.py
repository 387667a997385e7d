"""The parts of the `banksman` command, one module per group."""
