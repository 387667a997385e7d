"""Slack: one app, whose tokens the gateway reads by its own login, as it listens for as long as it lives."""

from typing import Final

from connectors.provider import Provider, Secret, Twin

APP: Final = Secret(path="slack/app", holds="Slack's tokens and the secret that its requests are signed with")

SLACK: Final = Provider(
    name="slack", title="Slack", url="https://slack.com", own=(APP,), twin=Twin(port=8310, always=True)
)
