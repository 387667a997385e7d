"""Plans, decisions on them, and whether those allow a step: pure, offline."""
