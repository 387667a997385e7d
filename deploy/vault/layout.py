"""What a Vault holds for Banksman, as data: its logins, and a token role for each credential of a provider."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from connectors.provider import providers
from connectors.vault.databases import engine_of
from deploy.vault import rights

TRANSIT_KEYS: Final = {
    "approvals": "ed25519",
    "audit": "ed25519",
    "handover": "aes256-gcm96",
    "transcripts": "aes256-gcm96",
}
"""Their types by their names: the first signs decisions, the second how far audit files were collected, the third seals
a run's secrets for the sandbox worker, the fourth wraps the keys of what was said to language models."""
POLICY_FOLDER: Final = Path(__file__).parent / "policies"


@dataclass(frozen=True, kw_only=True)
class AppRole:
    """A process's login. Its policy has its name.

    The secret id is for one use; the token is periodic, so that it lives as long as it is renewed and no longer.
    """

    name: str

    def settings(self) -> dict[str, object]:
        """What Vault is told, and what it must answer."""
        return {
            "token_policies": [self.name],
            "token_period": 3600,
            "token_type": "service",
            "token_ttl": 0,
            "token_max_ttl": 0,
            "token_explicit_max_ttl": 0,
            "token_num_uses": 0,
            "token_no_default_policy": False,
            "secret_id_num_uses": 1,
            "secret_id_ttl": 300,
            "bind_secret_id": True,
        }


@dataclass(frozen=True, kw_only=True)
class TokenRole:
    """What the tokens of a role may be.

    Attributes:
        name: Of the role: the action for a step's token, which is an orphan that nobody renews.
        policy: The one policy of its tokens.
        max_ttl: Seconds after which a token ends whatever happens; 0 for no such end.
        period: Seconds for which a renewal lasts; 0 for tokens that nobody renews.
    """

    name: str
    policy: str
    max_ttl: int = 0
    period: int = 0

    def settings(self) -> dict[str, object]:
        """What Vault is told, and what it must answer."""
        return {
            "orphan": True,
            "renewable": self.period > 0,
            "allowed_policies": [self.policy],
            # Said although they are empty: whoever fills one of them in widens every token of the role.
            "allowed_policies_glob": [],
            "disallowed_policies": [],
            "disallowed_policies_glob": [],
            "allowed_entity_aliases": [],
            "path_suffix": "",
            "token_explicit_max_ttl": self.max_ttl,
            "explicit_max_ttl": 0,
            "token_period": self.period,
            "period": 0,
            "token_num_uses": 0,
            "token_type": "service",
        }


APP_ROLES: Final = tuple(AppRole(name=name) for name in rights.APP_ROLES)
TOKEN_ROLES: Final = tuple(
    TokenRole(name=one.name, policy=f"step-{one.name}", max_ttl=one.longest)
    for provider in providers().values()
    for one in provider.credentials
)
ENGINES: Final = tuple(
    engine_of(provider.name) for provider in providers().values() if any(one.logins for one in provider.credentials)
)
"""Vault's database engines, for providers whose databases get logins."""
DELIVERER: Final = TokenRole(name="deliverer", policy="deliverer", period=3600)


def policies() -> dict[str, str]:
    """Every policy by its name, as its file says."""
    return {file.stem: file.read_text(encoding="utf-8") for file in sorted(POLICY_FOLDER.glob("*.hcl"))}
