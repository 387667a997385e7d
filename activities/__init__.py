"""Steps: one thin file per system, all of them guarded by effects.py."""
