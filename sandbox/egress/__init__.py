"""What a run may reach: a network of its own, and in it a proxy, a mirror or a relay."""
