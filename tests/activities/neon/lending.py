"""Logins as their workers issue them: by a real Vault, in the real PostgreSQL behind Neon's twin."""

import contextlib
import subprocess
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, cast

import httpx
from pydantic import SecretStr

from activities.neon.ending import NeonEnding
from activities.neon.logins.contracts import (
    CHECK_LOGIN,
    END_LOGIN,
    ISSUE_LOGIN,
    OPEN_DATABASE,
    SWEEP_LOGINS,
    IssueLogin,
    LeasedLogin,
    LoginEnded,
    LoginIssued,
    OpenDatabase,
    SweepLogins,
)
from activities.neon.logins.issuing import NeonIssuing
from activities.neon.logins.means import role_name
from activities.neon.logins.opening import NeonOpening
from activities.neon.making import NeonMaking
from connectors.creation import mark
from connectors.neon.purposes import Purpose
from connectors.neon.twin.app import create_twin
from connectors.vault import VaultSession
from deploy.vault.bootstrap import seed_secret
from tests.activities.github.at_work import at_work
from tests.connectors.neon.at_neon import KEY_CANARY, MAIN, PASSWORD_CANARY, PROJECT, AtNeon, config, psql
from tests.connectors.serving import served_twin
from tests.connectors.vault.server import House as VaultHouse
from tests.connectors.vault.server import Json

GOAL: Final = "issue-neon-login/1"
LOGINS: Final = "SELECT rolname FROM pg_roles WHERE rolname LIKE 'v-%' ORDER BY 1"
REFUSED: Final = subprocess.CalledProcessError
_OK: Final = 200


@dataclass
class Bank:
    """Vault, Neon's twin, and the steps between them."""

    vault: VaultHouse
    neon: AtNeon
    session: VaultSession

    @property
    def opening(self) -> NeonOpening:
        return NeonOpening(self.session, base_url=self.neon.served.url)

    @property
    def issuing(self) -> NeonIssuing:
        return NeonIssuing(self.session, base_url=self.neon.served.url)

    @property
    def making(self) -> NeonMaking:
        return NeonMaking(self.session, base_url=self.neon.served.url)

    @property
    def ending(self) -> NeonEnding:
        return NeonEnding(self.session, base_url=self.neon.served.url)

    async def open(self, purpose: Purpose = Purpose.READ, branch: str = MAIN) -> None:
        request = OpenDatabase(project=PROJECT, branch=branch, database="shop", purpose=purpose)
        await at_work(OPEN_DATABASE.name).run(self.opening.open_database, request)

    async def issue(self, purpose: Purpose = Purpose.READ, *, branch: str = MAIN, goal: str = GOAL) -> LoginIssued:
        await self.open(purpose, branch)
        return await self.issue_only(purpose, branch=branch, goal=goal)

    async def issue_only(
        self, purpose: Purpose = Purpose.READ, *, branch: str = MAIN, goal: str = GOAL, attempt: int = 1
    ) -> LoginIssued:
        request = IssueLogin(
            project=PROJECT,
            branch=branch,
            database="shop",
            purpose=purpose,
            ends_at=datetime.now(UTC) + timedelta(hours=1),
        )
        return await at_work(ISSUE_LOGIN.name, goal, attempt=attempt).run(self.issuing.issue_login, request)

    async def end(self, purpose: Purpose = Purpose.READ, *, branch: str = MAIN, goal: str = GOAL) -> LoginEnded:
        return await at_work(END_LOGIN.name).run(self.issuing.end_login, self.place(purpose, branch, goal))

    async def there(self, purpose: Purpose = Purpose.READ, *, branch: str = MAIN, goal: str = GOAL) -> bool:
        step = at_work(CHECK_LOGIN.name)
        return (await step.run(self.issuing.check_login, self.place(purpose, branch, goal))).there

    async def sweep(self, branch: str = MAIN) -> tuple[str, ...]:
        request = SweepLogins(project=PROJECT, branch=branch)
        return (await at_work(SWEEP_LOGINS.name).run(self.opening.sweep_logins, request)).dropped

    def place(self, purpose: Purpose = Purpose.READ, branch: str = MAIN, goal: str = GOAL) -> LeasedLogin:
        return LeasedLogin(project=PROJECT, branch=branch, database="shop", purpose=purpose, mark=mark(goal))

    def owner(self, branch: str = MAIN) -> str:
        """How the owner connects."""
        query = {"branch_id": branch, "database_name": "shop", "role_name": "shop_owner"}
        return str(self.neon.ask("GET", "/connection_uri", params=query)["uri"])

    def asked(self, sql: str, branch: str = MAIN) -> str:
        """What the owner is answered."""
        return psql(self.owner(branch), sql)

    def logins(self, branch: str = MAIN) -> list[str]:
        """Those that PostgreSQL knows."""
        return self.asked(LOGINS, branch).split()

    def kept(self, issued: LoginIssued) -> str:
        """The connection string that Vault keeps."""
        return self.kept_at(issued.secret)

    def kept_at(self, secret: str) -> str:
        """The connection string at a path."""
        data = self.vault.server.data(secret.replace("banksman/", "banksman/data/", 1))
        return str(cast("Json", data["data"])["uri"])

    def leases(self, purpose: Purpose = Purpose.READ, goal: str = GOAL) -> list[str]:
        """Those that Vault knows of this goal."""
        return self.listed(f"sys/leases/lookup/banksman-neon/creds/{role_name(purpose, mark(goal))}")

    def listed(self, path: str) -> list[str]:
        """What Vault lists there; nothing where there is nothing."""
        headers = {"X-Vault-Token": self.vault.server.root.get_secret_value()}
        answer = httpx.request("LIST", f"{self.vault.server.address}/v1/{path}", headers=headers)
        return list(answer.json()["data"]["keys"]) if answer.status_code == _OK else []

    def clean(self, purpose: Purpose = Purpose.READ, *, branch: str = MAIN, goal: str = GOAL) -> bool:
        """Whether no trace of the goal's login is left anywhere."""
        role = role_name(purpose, mark(goal))
        return not (
            [one for one in self.logins(branch) if role in one]
            or self.leases(purpose, goal)
            or role in self.listed("banksman-neon/roles")
            or mark(goal) in self.listed("banksman/metadata/neon/logins")
        )


@contextlib.asynccontextmanager
async def lending(vault: VaultHouse, folder: Path) -> AsyncGenerator[Bank]:
    """All of it, with Neon's key in Vault."""
    key = {"key": SecretStr(KEY_CANARY)}
    await seed_secret(address=vault.server.address, token=vault.server.root, path="neon/key", values=key)
    with served_twin(create_twin(config(folder, operation_seconds=0.05))) as served:
        yield Bank(vault, AtNeon(served), await vault.login("connectors"))


def told(*said: object) -> str:
    """All that a history would hold of these."""
    text = " ".join(map(repr, said))
    assert PASSWORD_CANARY not in text
    return text
