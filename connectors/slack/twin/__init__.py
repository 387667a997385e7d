"""A twin of Slack: its API, its sockets and its pages."""
