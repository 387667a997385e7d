"""How well a model plans: the planning set, asked through the real planner; nothing is carried out."""
