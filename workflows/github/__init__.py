"""What GitHub tells of, as it is worked off: one workflow for each delivery."""
