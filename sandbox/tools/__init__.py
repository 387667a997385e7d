"""Tools on a commit's work tree in the sandbox: what may be written and run, and what does it inside."""
