"""The files that name dependencies, each read as a stranger's text: bounded, and with every mistake told."""
