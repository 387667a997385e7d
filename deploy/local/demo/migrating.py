"""`FAIL=migration`: one that cannot be carried out, found out on a copy of the database, before anybody is asked."""

import json
import time
from dataclasses import dataclass
from typing import Final

import httpx
from pydantic import ValidationError
from rich.markup import escape

from connectors.authorities import authorities
from deploy.local.demo.commands import Ended, banksman, show_command
from deploy.local.demo.deployment import asked_so_often
from deploy.local.demo.environment import Environment
from deploy.local.demo.pull_requests import propose, withdraw
from deploy.local.demo.terminal import DemoFailed, say, terminal
from deploy.local.example import MIGRATIONS_REPOSITORY
from workflows.contracts import State
from workflows.neon.goals import MIGRATE_DATABASE_GOAL, MigrateDatabaseInput

_GOAL: Final = 300.0
_PATH: Final = "migrations/0003-loyalty.sql"
_SQL: Final = """ALTER TABLE orders ADD COLUMN loyalty_points integer NOT NULL DEFAULT 0;
ALTER TABLE orders ADD CONSTRAINT orders_customer FOREIGN KEY (customer) REFERENCES customers (id);
"""
"""The first statement is well, and there is no table `customers`: a half-done migration, if it were not tried first."""


@dataclass
class MigrationShowing:
    """One demonstration of it."""

    environment: Environment

    async def run(self) -> list[str]:
        """All of it.

        Returns:
            What is otherwise than promised.

        Raises:
            DemoFailed: It cannot be shown.
        """
        say("\n[bold]A feature:[/] Count loyalty points")
        say("[bold]What fails:[/] its migration, on a copy of the database: nobody is asked, and it stays as it is")
        before = await self._branches()
        proposed = await propose(self.environment, MIGRATIONS_REPOSITORY, "Count loyalty points", {_PATH: _SQL})
        asked = _asked().model_copy(update={"ref": proposed.branch})
        try:
            return await self._differences(asked, before)
        finally:
            await withdraw(self.environment, MIGRATIONS_REPOSITORY, proposed)

    async def _differences(self, asked: MigrateDatabaseInput, before: list[str]) -> list[str]:
        questions: list[str] = []

        async def look() -> None:
            questions.extend(one.approval for one in await self.environment.alice.asked(asked.business_key()))

        began = time.monotonic()
        text = show_command(MIGRATE_DATABASE_GOAL.name, asked, "--wait")
        say(f"  [dim]watch it: {escape(self.environment.goal_page(asked.business_key()))}[/]")
        with terminal.working("the migrations run on a copy"):
            done = await banksman(
                "run", MIGRATE_DATABASE_GOAL.name, "--input", text, "--wait", "--json", seconds=_GOAL, beside=look
            )
        try:
            ended = Ended.model_validate_json(done.output)
        except ValidationError:
            raise DemoFailed(f"{MIGRATE_DATABASE_GOAL.name} was not started: {done.reason()}") from None
        why, outcome = ended.told("reason") or ended.error or "", ended.told("outcome") or ended.outcome
        asked_people = asked_so_often(len(set(questions)))
        say(f"  [bold yellow]{outcome}[/] after {time.monotonic() - began:.0f} s, {asked_people}: {escape(why)}")
        after = await self._branches()
        if after == before:
            say(f"  the copy is gone: the project has {len(after)} branches, as before")
        found: list[str] = []
        if outcome != State.REFUSED:
            found.append(f"it ended as {outcome}, and not as {State.REFUSED}: {why}")
        if "customers" not in why:
            found.append(f"its reason is not that there is no table `customers`: {why}")
        if questions:
            found.append("people were asked about a migration that failed")
        if after != before:
            found.append(f"the project's branches are {', '.join(after)}, and were {', '.join(before)}")
        return found

    async def _branches(self) -> list[str]:
        """The names of the Neon project's."""
        config = json.loads((self.environment.folder.twins / "neon.json").read_text())
        url = f"{self.environment.stack.twins['neon'].url}/projects/{_asked().project}/branches"
        async with httpx.AsyncClient(verify=authorities(), timeout=60) as hands:
            answer = await hands.get(url, headers={"Authorization": f"Bearer {config['keys'][0]}"})
        return sorted(str(one["name"]) for one in answer.raise_for_status().json()["branches"])


def _asked() -> MigrateDatabaseInput:
    """The goal's own example, whose repository the environment has."""
    example = MIGRATE_DATABASE_GOAL.example
    if not isinstance(example, MigrateDatabaseInput) or example.repository != MIGRATIONS_REPOSITORY:
        raise DemoFailed(f"the example of {MIGRATE_DATABASE_GOAL.name} is of another repository by now")
    return example
