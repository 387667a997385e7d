"""Redis Cloud: databases of its subscriptions, and who may use them, by its REST API."""
