"""Neon, as one organisation with two keys: one that makes branches, and one that the deletion of a branch is given.

Neon knows no key that may make a branch and not delete it, so what is kept apart is who reaches which key.
"""

from typing import Final

from connectors.limits import Rate
from connectors.provider import AccountRate, Copies, Credential, Logins, Provider, Secret, Twin

KEY: Final = Secret(path="neon/key", holds="the API key that looks at projects and makes branches")
DESTRUCTIVE_KEY: Final = Secret(
    path="neon/destructive-key", holds="the API key that branches are deleted with", destroys=True
)
CONNECTION: Final = Secret(path="neon/connections/+", holds="how one connects to a branch, by its goal's mark")
LOGIN: Final = Secret(path="neon/logins/+", holds="a login to a database of a branch, by the mark of its goal")
READ: Final = Credential(name="neon-read", secret=KEY, purpose="reads at Neon")
WRITE: Final = Credential(name="neon-write", secret=KEY, purpose="makes branches at Neon")
KEEP: Final = Credential(
    name="neon-keep",
    secret=KEY,
    purpose="keeps the connection to a branch of Neon, or removes that of a deleted one",
    keeps=(CONNECTION,),
    forgets=(CONNECTION,),
)
END: Final = Credential(
    name="neon-end",
    secret=KEY,
    purpose="ends a branch that a goal made at Neon, at its time",
    forgets=(CONNECTION,),
    logins=Logins.OPEN,
)
OPEN: Final = Credential(
    name="neon-open",
    secret=KEY,
    purpose="prepares a database of Neon for logins, with Vault as their administrator",
    logins=Logins.OPEN,
)
ISSUE: Final = Credential(
    name="neon-issue",
    secret=KEY,
    purpose="issues a login to a database of Neon, or ends one",
    keeps=(LOGIN,),
    forgets=(LOGIN,),
    logins=Logins.ISSUE,
)
LEND: Final = Credential(
    name="neon-lend",
    secret=KEY,
    purpose="issues a login to a database of Neon",
    logins=Logins.LEND,
    longest=31 * 24 * 3600,
)
LOOK: Final = Credential(
    name="neon-look", secret=KEY, purpose="looks which logins there are at Neon", logins=Logins.LOOK
)
DELETE_BRANCH: Final = Credential(name="neon-delete-branch", secret=DESTRUCTIVE_KEY, purpose="deletes a branch at Neon")
HAND_OVER: Final = Credential(
    name="neon-hand-over",
    secret=LOGIN,
    purpose="seals a login to a database of Neon for one run in the sandbox",
    seals=True,
)
MIGRATE: Final = Credential(
    name="neon-migrate",
    secret=DESTRUCTIVE_KEY,
    purpose="migrates a database of Neon that people approved",
    logins=Logins.OWN,
    longest=2 * 3600,
)

RATE: Final = Rate(per_second=10, burst=40)
"""700 requests a minute, and 40 a second of one route."""
NEON: Final = Provider(
    name="neon",
    title="Neon",
    url="https://console.neon.tech/api/v2",
    credentials=(READ, WRITE, KEEP, END, OPEN, ISSUE, LEND, LOOK, HAND_OVER, DELETE_BRANCH, MIGRATE),
    rates=(AccountRate(of="requests", rate=RATE),),
    twin=Twin(
        port=8307,
        real="PostgreSQL",
        copies=Copies(
            what="a project's branches, with their roles and databases by name",
            leaves=(
                "Neon: schemas and rows",
                "Neon: passwords and logins",
                "Neon: computes and their sizes",
                "Neon: snapshots and history",
            ),
        ),
    ),
)
