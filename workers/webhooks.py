"""Where a gateway takes GitHub's webhooks."""

from dataclasses import dataclass
from socket import socket

from starlette.applications import Starlette

from connectors.github.manifest import WEBHOOK
from connectors.vault import VaultSession
from hitl.gateway.deliveries import Deliveries
from hitl.gateway.webhook_secrets import WebhookSecretSource
from hitl.github.receiving import Receiver
from workers.serving import bind
from workers.settings import Settings


@dataclass(frozen=True)
class Webhooks:
    """What is served, and where."""

    app: Starlette
    listening: socket


def webhooks(settings: Settings, vault: VaultSession, deliveries: Deliveries) -> Webhooks | None:
    """Ready to be served; None where this gateway takes none.

    Raises:
        CannotListen: The address cannot be had.
    """
    if settings.github_listen is None:
        return None
    secrets = WebhookSecretSource(lambda: vault.read(WEBHOOK.path))
    return Webhooks(Receiver(secrets, deliveries).app(), bind(settings.github_listen))
