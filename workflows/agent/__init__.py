"""Goals of the agent: what it plans, and plans that are carried out."""
