"""A twin of Redis Cloud: subscriptions, databases with tasks, prices, and users, over real Valkey servers."""
