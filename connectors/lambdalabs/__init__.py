"""Lambda Labs: GPU machines by the hour."""
