"""A twin of Upstash: its developer API, as far as databases are read."""
