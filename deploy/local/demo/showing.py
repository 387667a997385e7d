"""A demonstration from its beginning to its end: what is promised, what came of it, and everything as it was."""

import asyncio
import time
from dataclasses import dataclass
from typing import Final

from rich.markup import escape

from deploy.local.demo.cleaning import stop_all
from deploy.local.demo.deployment import Deployment, Followed, line_of
from deploy.local.demo.environment import Environment
from deploy.local.demo.failing import Failing, Failure, otherwise
from deploy.local.demo.features import Change, next_feature
from deploy.local.demo.pull_requests import Proposed, propose, withdraw
from deploy.local.demo.storefront import ENVIRONMENT, Storefront, Visits
from deploy.local.demo.terminal import Broken, DemoFailed, say, terminal
from deploy.local.example import SERVICE_REPOSITORY
from workflows.contracts import State
from workflows.deploy_feature.goals import DeployNewFeatureInput

_WATCH: Final = 90.0
_WHERE: Final = (ENVIRONMENT,)


@dataclass
class Showing:
    """One demonstration of a deployment.

    Attributes:
        approve: Whether Alice says yes; else the person at the terminal.
        way: How it is made to fail, if it is.
    """

    environment: Environment
    approve: bool
    way: Failure | None = None

    async def run(self) -> None:
        """All of it.

        Raises:
            Broken: It ended otherwise than promised.
            DemoFailed: It cannot be shown.
        """
        await stop_all(self.environment, "an earlier demonstration left it")
        storefront = Storefront(self.environment)
        await self.bring_it_up(storefront)
        failing = Failing(self.way, storefront)
        files = await storefront.files()
        change = failing.change(next_feature(files), files)
        self._introduce(change, failing)
        await failing.look_before()
        before = await storefront.main()
        proposed = await propose(self.environment, SERVICE_REPOSITORY, change.title, change.files)
        try:
            followed = await self._deploy(failing, approve=self.approve, pull_request=proposed.number)
            differences = await self._differences(failing, followed, proposed, sees=change.sees, before=before)
        except asyncio.CancelledError:
            await stop_all(self.environment, "the demonstration was stopped")
            raise
        finally:
            await failing.heal()
            await withdraw(self.environment, SERVICE_REPOSITORY, proposed)
        if differences:
            raise Broken(differences)

    def _introduce(self, change: Change, failing: Failing) -> None:
        say(f"\n[bold]A feature:[/] {escape(change.title)}")
        if failing.promise.told:
            say(f"[bold]What fails:[/] {failing.promise.told}")

    async def bring_it_up(self, storefront: Storefront) -> None:
        """The service as it is on its main branch, where it was never deployed, or lacks what it needs."""
        if await storefront.is_whole():
            return
        say(f"\nThe shop is not there yet: first its main branch is deployed, with Alice's yes ({storefront.page})")
        await storefront.ask_for_a_login()
        try:
            followed = await self._deploy(Failing(None, storefront), branch="main", approve=True)
        except asyncio.CancelledError:
            await stop_all(self.environment, "the demonstration was stopped")
            raise
        if followed.result.outcome is not State.COMPLETED:
            raise DemoFailed(f"the shop did not come up: {followed.result.reason}")
        if not await storefront.is_whole():
            raise DemoFailed(
                f"the shop lacks what its database, its cache or its collection has: see {storefront.page}"
            )

    async def _deploy(
        self, failing: Failing, *, approve: bool, branch: str | None = None, pull_request: int | None = None
    ) -> Followed:
        if pull_request is None:
            asked = DeployNewFeatureInput(repository=SERVICE_REPOSITORY, branch=branch, environments=_WHERE)
        else:
            asked = DeployNewFeatureInput(repository=SERVICE_REPOSITORY, pull_request=pull_request, environments=_WHERE)
        followed = await Deployment(self.environment, asked, approve=approve, hooks=failing.hooks).run()
        say(line_of(followed))
        return followed

    async def _differences(
        self, failing: Failing, followed: Followed, proposed: Proposed, *, sees: str, before: str
    ) -> list[str]:
        """What is otherwise than promised; what is as promised is said."""
        storefront, promise = Storefront(self.environment), failing.promise
        merged = await storefront.main() != before
        found = await failing.differences(followed, proposed)
        seen = await self._look(storefront, sees, deployed=promise.deployed)
        return [*otherwise(promise, followed, merged=merged, seen=seen), *found]

    async def _look(self, storefront: Storefront, sees: str, *, deployed: bool) -> Visits:
        """What visitors see, first of a release that is watched, then for good."""
        page, seen = storefront.page, await storefront.visits(sees)
        if not deployed:
            say(f"  the page is as before for {seen.well - seen.new} of {seen.all} visitors: {page}")
            return seen
        if seen.new < seen.all:
            say(f"  {seen.new} of {seen.all} visitors see it by now; the release of before stays until the watch ends")
        began = time.monotonic()
        with terminal.working("the newer release is watched"):
            seen = await storefront.until_all_see(sees, seconds=_WATCH)
        after = f", {time.monotonic() - began:.0f} s later" if time.monotonic() - began > 1 else ""
        say(f"  {seen.new} of {seen.all} visitors see it{after}: {page}")
        return seen
