"""Estuary Flow, as two service accounts: one that reads and publishes, and one that may have data deleted."""

from typing import Final

from connectors.provider import Copies, Credential, Provider, Secret, Twin

ACCOUNT: Final = Secret(
    path="estuary/account", holds="token_id and secret of a service account's API key, and the public apikey"
)
DESTRUCTIVE_ACCOUNT: Final = Secret(
    path="estuary/destructive-account",
    holds="token_id and secret of an API key of the service account that may delete, and the public apikey",
    destroys=True,
)
READ: Final = Credential(name="estuary-read", secret=ACCOUNT, purpose="reads at Estuary")
PUBLISH: Final = Credential(name="estuary-publish", secret=ACCOUNT, purpose="publishes at Estuary")
DESTROY: Final = Credential(
    name="estuary-destroy", secret=DESTRUCTIVE_ACCOUNT, purpose="publishes at Estuary what deletes data"
)

ESTUARY: Final = Provider(
    name="estuary",
    title="Estuary",
    url="https://api.estuary.dev",
    credentials=(READ, PUBLISH, DESTROY),
    twin=Twin(
        port=8305,
        copies=Copies(
            what="a tenant's specifications, with the publications that they are of",
            leaves=("Estuary: data of collections", "Estuary: how flows do", "Estuary: secrets that are not encrypted"),
        ),
    ),
)
