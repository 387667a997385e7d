"""The pages of goals: looking for them, one of them whole, and starting one."""
