"""One Docker engine as a sandbox: shut containers, what runs in them, and what becomes of them."""
