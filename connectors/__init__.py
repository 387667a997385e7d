"""One package per provider: its client and its twin. Nothing here knows of Temporal."""
