"""A twin of Upstash: its developer API, as far as databases are concerned, over real Valkey servers."""
