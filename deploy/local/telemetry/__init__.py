"""The embedded environment's own collector, Prometheus and log store, on the files that Compose runs them by."""
