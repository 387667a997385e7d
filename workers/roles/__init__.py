"""One module per worker role, which alone knows what that role runs: a process imports its own and no other."""
