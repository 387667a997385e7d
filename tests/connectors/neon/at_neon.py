"""The client on the twin: time goes by on the twin's clock alone, and connection strings are tried with psql."""

import contextlib
import subprocess
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import SecretStr

from connectors.http import Api
from connectors.limits import Allowance
from connectors.neon.client import DIALECT, NeonProject, credential
from connectors.neon.twin.app import SeededProject, TwinConfig
from connectors.neon.twin.postgres import find_programs
from tests.connectors.serving import ServedTwin

PROJECT: Final = "shop-1"
_PATIENCE: Final = 90
"""Seconds for a connection, that may have to wait until its cluster is made on a busy machine."""

KEY_CANARY: Final = "napi_canary-5b81"
PASSWORD_CANARY: Final = "npg_canary_c07f"
SEEDED: Final = SeededProject(
    id=PROJECT, name="shop", database="shop", owner="shop_owner", password=PASSWORD_CANARY, branches=("old-idea",)
)
MAIN, OLD_IDEA = f"br-{PROJECT}-main", f"br-{PROJECT}-old-idea"


def config(folder: Path, **changed: Any) -> TwinConfig:
    usual = TwinConfig(keys=(KEY_CANARY,), clusters=folder / "clusters", projects=(SEEDED,))
    return usual.model_copy(update=changed)


@dataclass(frozen=True)
class AtNeon:
    """The client and its twin."""

    served: ServedTwin

    @contextlib.asynccontextmanager
    async def project(self, name: str = PROJECT, *, key: str = KEY_CANARY) -> AsyncGenerator[NeonProject]:
        api = Api(DIALECT, base_url=self.served.url, turns=Allowance())  # its rate is the real clock's
        async with api.open(credential({"key": SecretStr(key)})) as session:
            yield NeonProject(session, name, sleep=self.sleep, now=self.now)

    async def sleep(self, seconds: float) -> None:
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        self.served.http.post("/_twin/clock", json={"advance": seconds}).raise_for_status()

    def now(self) -> float:
        return float(self.served.http.get("/_twin/clock").json()["now"])

    def ask(self, method: str, path: str, **given: Any) -> Any:
        """By hand, as somebody at Neon's console."""
        answer = self.served.http.request(
            method, f"/projects/{PROJECT}{path}", headers={"Authorization": f"Bearer {KEY_CANARY}"}, **given
        )
        assert answer.status_code < 400, answer.text
        return answer.json() if answer.content else None

    def statuses(self, method: str, path: str) -> list[int | None]:
        """How each such request was answered."""
        asked = [one for one in self.served.requests() if (one["method"], one["path"]) == (method, path)]
        return [one["status"] for one in asked]


def psql(uri: str, sql: str) -> str:
    """What a client sees there.

    Raises:
        subprocess.CalledProcessError: It is not let in, or the statement is refused.
    """
    program = str(find_programs().folder / "psql")
    told = subprocess.run(
        [program, uri, "--no-psqlrc", "-At", "-v", "ON_ERROR_STOP=1", "-c", sql],
        check=True,
        capture_output=True,
        text=True,
        timeout=_PATIENCE,
    )
    return told.stdout.strip()
