"""The embedded environment's trace store, and the pages that show it."""
