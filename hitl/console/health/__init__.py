"""How repositories do, to look at."""
