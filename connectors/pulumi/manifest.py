"""Pulumi: credentials of the clouds that its programs work on. There is no client; its command runs in the sandbox."""

from typing import Final

from connectors.provider import Credential, Provider, Secret

LOOK_SECRETS: Final = Secret(path="pulumi/look", holds="state, passphrase and credentials that read")
CHANGE_SECRETS: Final = Secret(
    path="pulumi/change", holds="state, passphrase and the credentials that change what a stack holds", destroys=True
)
LOOK: Final = Credential(name="pulumi-look", secret=LOOK_SECRETS, purpose="looks at a stack", seals=True)
CHANGE: Final = Credential(name="pulumi-change", secret=CHANGE_SECRETS, purpose="changes a stack")

PULUMI: Final = Provider(name="pulumi", title="Pulumi", credentials=(LOOK, CHANGE))
