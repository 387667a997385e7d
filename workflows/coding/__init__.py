"""Goals that change code, in a container, and push nothing."""
