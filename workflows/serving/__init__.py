"""Goals that serve language models on machines of their own."""
