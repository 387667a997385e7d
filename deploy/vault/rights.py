"""What each policy of Vault allows, as data: from it the files in `policies/` are written, so that a review reads HCL.

`python -m deploy.vault.rights` writes them anew; a test holds them equal.
"""

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from connectors.github.manifest import APP as GITHUB_APP
from connectors.github.manifest import DESTRUCTIVE_APP as GITHUB_DESTRUCTIVE_APP
from connectors.github.manifest import SIGN_IN as GITHUB_SIGN_IN
from connectors.github.manifest import WEBHOOK as GITHUB_WEBHOOK
from connectors.provider import Credential, Logins, Maker, Secret, providers
from connectors.slack.manifest import APP as SLACK_APP
from connectors.vault.databases import engine_of

MOUNT: Final = "banksman"
APP_ROLES: Final = ("goals", "connectors", "sandbox", "destructive", "gateway", "codec", "models", "relay")
"""One login for each process; its policy has its name."""
PERSONS: Final = ("github-setup",)
"""Policies of people: an administrator makes a token with one for an hour. No login and no token role has them."""

_FOLDER: Final = Path(__file__).parent / "policies"
_WIDTH: Final = 120
_APPROVALS: Final = "transit/keys/approvals"


@dataclass(frozen=True, kw_only=True)
class Right:
    """One path of Vault's and what may be done with it.

    Attributes:
        why: A comment above it.
        wrapped: Whether the answer must come wrapped, for two minutes at most.
    """

    path: str
    may: tuple[str, ...]
    why: str = ""
    wrapped: bool = False

    def hcl(self) -> str:
        """As Vault reads it."""
        capabilities = ", ".join(f'"{one}"' for one in self.may)
        comment = _comment(self.why)
        if not self.wrapped:
            return f'{comment}path "{self.path}" {{\n  capabilities = [{capabilities}]\n}}\n'
        return (
            f'{comment}path "{self.path}" {{\n  capabilities     = [{capabilities}]\n'
            '  min_wrapping_ttl = "1s"\n  max_wrapping_ttl = "120s"\n}\n'
        )


@dataclass(frozen=True, kw_only=True)
class VaultPolicy:
    """One policy.

    Attributes:
        says: Whose it is and why it is so narrow; the first comment of its file.
    """

    says: str
    rights: tuple[Right, ...]

    def hcl(self) -> str:
        """Its file."""
        return _comment(self.says) + "\n".join(one.hcl() for one in self.rights)


_PAYLOAD_KEYS: Final = Right(path=f"{MOUNT}/data/payload-keys", may=("read",))
_PUBLISHED: Final = Right(path=_APPROVALS, may=("read",))


_BOOK: Final = Right(
    path=f"{MOUNT}/data/budgets/+/+",
    may=("create", "read", "update"),
    why="What steps reserved and spent under the policy's budgets, by check-and-set. No secret lies there.",
)
_BOOK_OF_MODELS: Final = Right(
    path=f"{MOUNT}/data/model-limits/+/+",
    may=("create", "read", "update"),
    why="What goals used of language models under the file's limits, by check-and-set. No secret lies there.",
)
_TRANSCRIPTS: Final = (
    Right(
        path="transit/datakey/plaintext/transcripts",
        may=("update",),
        why="Keys of what was said to language models, each for one conversation. No other process opens one.",
    ),
    Right(path="transit/decrypt/transcripts", may=("update",)),
)
_SERVED: Final = Right(
    path=f"{MOUNT}/data/served/+/+",
    may=("create", "read", "update"),
    why="Which goal's machine serves which language model, by check-and-set. Digests lie there, and no secret.",
)

_GOALS: Final = VaultPolicy(
    says="The goals worker: of Vault only the payload keys, outside development, and the published halves of the "
    "approval keys, which it refuses decisions by.",
    rights=(_PAYLOAD_KEYS, _PUBLISHED),
)
_SANDBOX: Final = VaultPolicy(
    says="The sandbox worker: the payload keys, and what other steps sealed for a run of its own. No provider's "
    "secret.",
    rights=(_PAYLOAD_KEYS, Right(path="transit/decrypt/handover", may=("update",))),
)
_GATEWAY: Final = VaultPolicy(
    says="The gateway between people and approvals: it signs what a person clicked, and tells who asked for a goal by "
    "the same key's published halves. Slack's tokens, what GitHub signs webhooks with and what people sign in by are "
    "its only secrets besides the payload keys; no provider's key, no step's token.",
    rights=(
        _PAYLOAD_KEYS,
        Right(path=f"{MOUNT}/data/{SLACK_APP.path}", may=("read",)),
        Right(path=f"{MOUNT}/data/{GITHUB_WEBHOOK.path}", may=("read",)),
        Right(path=f"{MOUNT}/data/{GITHUB_SIGN_IN.path}", may=("read",)),
        _PUBLISHED,
        Right(path="transit/sign/approvals", may=("update",)),
        Right(path="transit/keys/audit", may=("read",)),
        Right(
            path="transit/sign/audit",
            may=("update",),
            why="How far the audit files of all processes were collected. No process that acts may sign that.",
        ),
        Right(
            path=f"{MOUNT}/data/webauthn/+",
            may=("create", "read", "update"),
            why="How often each key that people confirm with was used, so that a copy of one is noticed. No key lies "
            "there.",
        ),
    ),
)
_RELAY: Final = VaultPolicy(
    says="The relay that machines dial which serve language models: who may, and nothing else. It faces the internet, "
    "and reads no key of anything, nor the payload keys.",
    rights=(_SERVED,),
)
_CODEC: Final = VaultPolicy(says="The codec server: the payload keys, and nothing else.", rights=(_PAYLOAD_KEYS,))
_DELIVERER: Final = VaultPolicy(
    says="The supervisor's deliverer: mints wrapped secret ids, of short life, and can do nothing else. One block per "
    "role of ours: a glob would let it mint for every other AppRole of a shared Vault.",
    rights=tuple(
        Right(path=f"auth/approle/role/{role}/secret-id", may=("create", "update"), wrapped=True) for role in APP_ROLES
    ),
)

_GITHUB_SETUP: Final = VaultPolicy(
    says="A person who sets GitHub up, or changes a key of its: `banksman github`. The Apps' keys, what webhooks "
    "are signed with and what people sign in to the console by, and nothing else. No process has it.",
    rights=(
        *(
            Right(path=f"{MOUNT}/data/{one.path}", may=("create", "read", "update"))
            for one in (GITHUB_APP, GITHUB_DESTRUCTIVE_APP, GITHUB_WEBHOOK, GITHUB_SIGN_IN)
        ),
        Right(
            path="sys/capabilities-self",
            may=("update",),
            why="Whether it may write there is asked before a person is sent to GitHub, where a key is shown once.",
        ),
    ),
)


def rights() -> Mapping[str, VaultPolicy]:
    """Every policy by its name."""
    credentials = [one for provider in providers().values() for one in provider.credentials]
    return {
        "goals": _GOALS,
        "connectors": _connectors(_ordinary(credentials, Maker.CONNECTORS)),
        "models": _models(_ordinary(credentials, Maker.MODELS)),
        "sandbox": _SANDBOX,
        "destructive": _destructive([one for one in credentials if one.destroys]),
        "gateway": _GATEWAY,
        "codec": _CODEC,
        "relay": _RELAY,
        "deliverer": _DELIVERER,
        "github-setup": _GITHUB_SETUP,
        **{f"step-{one.name}": step_policy(one) for one in credentials},
    }


def _ordinary(credentials: Sequence[Credential], maker: Maker) -> list[Credential]:
    return [one for one in credentials if not one.destroys and one.made_by is maker]


def _models(ordinary: Sequence[Credential]) -> VaultPolicy:
    return VaultPolicy(
        says="The models worker: the payload keys, the tokens that its steps read keys of language models with, the "
        "keys of what was said to them, and the published halves of the approval keys, by which it tells who asked. No "
        "other process makes these tokens, and it makes no other.",
        rights=(_PAYLOAD_KEYS, _PUBLISHED, _BOOK_OF_MODELS, _SERVED, *_TRANSCRIPTS, *map(_makes, ordinary)),
    )


def _connectors(ordinary: Sequence[Credential]) -> VaultPolicy:
    return VaultPolicy(
        says="The connectors worker. It reads no provider's secret itself: it may only make the tokens that a step "
        "reads with, from token roles that fix what each can reach.",
        rights=(_PAYLOAD_KEYS, _BOOK, *map(_makes, ordinary)),
    )


def _destructive(destroying: Sequence[Credential]) -> VaultPolicy:
    used = Right(
        path=f"{MOUNT}/data/grants/+",
        may=("create", "read"),
        why='Which grants were used, by whom: without "update" no record can be written over.',
    )
    return VaultPolicy(
        says="The destructive worker: the only process that may make the tokens of steps that destroy. It verifies "
        "every grant with the published halves of the approval keys, and can sign none.",
        rights=(_PAYLOAD_KEYS, _PUBLISHED, used, _BOOK, *map(_makes, destroying)),
    )


def _makes(credential: Credential) -> Right:
    return Right(path=f"auth/token/create/{credential.name}", may=("create", "update"))


def step_policy(credential: Credential) -> VaultPolicy:
    """What a token for one step may."""
    if credential.logins is Logins.LEND:
        return VaultPolicy(
            says=f"What a goal was lent by a step that {credential.purpose}: a token that reads one login and lives as "
            "long as that, for the login ends with it. It reads no secret.",
            rights=tuple(_logins(credential)),
        )
    reads = Right(path=f"{MOUNT}/data/{credential.secret.path}", may=("read",))
    seals = (Right(path="transit/encrypt/handover", may=("update",)),) if credential.seals else ()
    keeps = [right for one in credential.keeps for right in _keeps(one)]
    forgets = [right for one in credential.forgets for right in _forgets(one)]
    also = ", and the key that seals it for one run in the sandbox" if credential.seals else ""
    return VaultPolicy(
        says=f"One step that {credential.purpose}: {credential.secret.holds}{also}, for some minutes.",
        rights=(reads, *seals, *keeps, *forgets, *_logins(credential)),
    )


def _logins(credential: Credential) -> Iterator[Right]:
    """Of Vault's database engine of its provider."""
    engine = engine_of(credential.provider)
    match credential.logins:
        case Logins.OPEN:
            why = "It makes Vault an administrator of a database, and ends that."
            yield Right(path=f"{engine}/config", may=("list",), why=why)
            yield Right(path=f"{engine}/config/+", may=("create", "update", "delete"))
        case Logins.ISSUE:
            why = "It says how logins are made, and ends them by what made them, in no other mount."
            yield Right(path=f"{engine}/roles", may=("list",))
            yield Right(path=f"{engine}/roles/+", may=("create", "update", "read", "delete"), why=why)
            gone = "Where a branch is gone, so is what led there."
            yield Right(path=f"{engine}/config/+", may=("delete",), why=gone)
            for how in ("revoke-prefix", "revoke-force"):
                yield Right(path=f"sys/leases/{how}/{engine}/creds/+", may=("update", "sudo"))
        case Logins.LEND:
            yield Right(path=f"{engine}/creds/+", may=("read",))
        case Logins.OWN:
            why = "It makes a role of its own, takes a login of it, and ends it: at the latest with this token."
            yield Right(path=f"{engine}/roles/+", may=("create", "update", "delete"), why=why)
            yield Right(path=f"{engine}/creds/+", may=("read",))
            for how in ("revoke-prefix", "revoke-force"):
                yield Right(path=f"sys/leases/{how}/{engine}/creds/+", may=("update", "sudo"))
        case Logins.LOOK:
            yield Right(path=f"{engine}/roles", may=("list",))
            yield Right(path=f"{engine}/roles/+", may=("read",))
        case None:
            return


def _keeps(secret: Secret) -> Iterator[Right]:
    why = f'It writes {secret.holds}: without "read" it can open none of them.'
    yield Right(path=f"{MOUNT}/data/{secret.path}", may=("create", "update"), why=why)


def _forgets(secret: Secret) -> Iterator[Right]:
    yield Right(path=f"{MOUNT}/metadata/{secret.path}", may=("delete",))
    if secret.grouped:
        why = "It finds by their names what it deletes."
        yield Right(path=f"{MOUNT}/metadata/{secret.path.removesuffix('+')}", may=("list",), why=why)


def _comment(text: str) -> str:
    lines = textwrap.wrap(text, _WIDTH - 2, break_long_words=False, break_on_hyphens=False) if text else []
    return "".join(f"# {line}\n" for line in lines)


def files() -> Iterator[tuple[Path, str]]:
    """Each file of `policies/` as it must be."""
    for name, policy in rights().items():
        yield _FOLDER / f"{name}.hcl", policy.hcl()


def main() -> None:
    """Write them."""
    wanted = dict(files())
    for path in set(_FOLDER.glob("*.hcl")) - wanted.keys():
        path.unlink()
    for path, text in wanted.items():
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
