"""Steps that say who approves."""
