"""What all twins share. `place` is for those who start one, and all else for twins themselves."""

from connectors.twins.place import PreparedTwin, Seed, TwinPlace

__all__ = ["PreparedTwin", "Seed", "TwinPlace"]
