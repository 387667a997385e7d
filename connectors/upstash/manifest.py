"""Upstash, as one account: an e-mail and an API key of the developer API."""

from typing import Final

from connectors.provider import Credential, Provider, Secret, Twin

ACCOUNT: Final = Secret(path="upstash/account", holds="e-mail and API key of the account")
READ: Final = Credential(name="upstash-read", secret=ACCOUNT, purpose="reads at Upstash")

UPSTASH: Final = Provider(
    name="upstash",
    title="Upstash",
    url="https://api.upstash.com/v2",
    credentials=(READ,),
    twin=Twin(port=8301),
)
