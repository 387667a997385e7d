"""Steps around a model that changes code: what it is told, what its answer holds, and whether its change passes."""
