"""Steps of the agent: binding its plans, and whether one may be run."""
