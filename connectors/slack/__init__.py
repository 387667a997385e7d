"""Slack's twin: what the gateway talks to where there is no Slack."""
