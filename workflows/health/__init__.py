"""How repositories do, and how they did before."""
