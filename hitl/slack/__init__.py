"""Slack: the messages of approvals, their buttons, and the command `/banksman`."""
