"""Plans of goals: the language, its checker, what a plan is bound to, and how people read it. Pure."""
