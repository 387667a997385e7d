"""Copies for a rehearsal: each made by a goal on the running environment, behind the guard, and laid where twins look.

What a goal answers is held against what it was asked: a copy of another part, or of another provider, is used for
nothing.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ValidationError
from rich.markup import escape
from temporalio.client import Client

from connectors.artifacts import ArtifactStore
from connectors.copies import DESCRIBED, described
from connectors.errors import ConnectorError
from connectors.provider import copied as copyable
from deploy.local.rehearsal.order import COPIED, OBJECTS
from workers.commands.exits import Exit, err, fail, shown
from workers.commands.follow import start
from workers.commands.stack_copies import PULUMI, StackCopies
from workers.settings import Settings
from workflows.contracts import GoalInput
from workflows.copies.goals import COPY_STATE, CopyStateInput, CopyStateResult
from workflows.goal_type import GoalType
from workflows.repository.goals import COPY_REPOSITORY, CopyRepositoryInput, CopyRepositoryResult

_GITHUB: Final = "github"


class _Head(BaseModel):
    """What a copy says that it is."""

    of: str
    part: str


@dataclass
class Copied:
    """What was copied, and what was not, in words."""

    told: list[str] = field(default_factory=list[str])
    left: list[str] = field(default_factory=list[str])
    parts: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    """By provider, in the order in which they were copied."""


@dataclass(frozen=True, kw_only=True)
class Copying:
    """Copies from one environment.

    Attributes:
        folder: Of the rehearsal.
        store: Where the environment keeps artifacts.
    """

    client: Client
    settings: Settings
    folder: Path
    store: ArtifactStore

    async def copy(self, wanted: Sequence[tuple[GoalType, GoalInput]]) -> Copied:
        """Copy whatever these goals reach, each part once.

        Args:
            wanted: Each with its input.
        """
        done = Copied()
        for goal, request in wanted:
            await self._copy_all(goal, tuple(request.reaches().items()), done)
        for goal, request in wanted:
            if PULUMI in goal.rehearses:
                stacks = StackCopies(self.client, self.settings, self.folder, self.store)
                await self._copy_all(goal, await stacks.needed(request), done)
                done.told.extend(one for one in await stacks.copy(request) if one not in done.told)
        return done

    async def _copy_all(self, goal: GoalType, reaches: Sequence[tuple[str, str]], done: Copied) -> None:
        if foreign := sorted({provider for provider, _ in reaches} - goal.rehearses):
            fail(f"{goal.name} reaches {', '.join(foreign)}, which is not copied for it: it cannot be rehearsed")
        for provider, part in sorted(reaches):
            parts = done.parts.setdefault(provider, [])
            if part in parts:
                continue
            if parts and not copyable()[provider].several:
                both = " and ".join(map(repr, (*parts, part)))
                fail(f"{goal.name} reaches {both} of {provider}, and one of them is copied")
            parts.append(part)
            done.told.append(await self._copy(provider, part, len(parts) - 1))
            done.left.extend(one for one in copyable()[provider].leaves if one not in done.left)

    async def _copy(self, provider: str, part: str, number: int) -> str:
        return await (self._repository(part) if provider == _GITHUB else self._state(provider, part, number))

    async def _state(self, provider: str, part: str, number: int) -> str:
        try:
            wanted = CopyStateInput(provider=provider, part=part)
        except ValidationError as error:
            fail(f"{provider} {part!r} cannot be copied: {error.errors()[0]['msg']}", Exit.USAGE)
        copied = CopyStateResult.model_validate(await self._asked(COPY_STATE, wanted, f"{provider} {part}".strip()))
        if copied.described is None or copied.told is None:
            fail(f"{provider} cannot be copied, so nothing was rehearsed: {copied.reason}", Exit.DENIED)
        content = await self._got(copied.described)
        require_copy_of(provider, part, content)
        into = self.folder / COPIED / provider
        await asyncio.to_thread(_lay, into / described(number), content)
        return copied.told

    async def _repository(self, repository: str) -> str:
        wanted = CopyRepositoryInput(repository=repository)
        copied = CopyRepositoryResult.model_validate(await self._asked(COPY_REPOSITORY, wanted, repository))
        if copied.described is None or copied.pack is None:
            fail(f"{repository!r} cannot be copied, so nothing was rehearsed: {copied.reason}", Exit.DENIED)
        into = self.folder / COPIED / _GITHUB / repository
        for name, reference in ((DESCRIBED, copied.described), (OBJECTS, copied.pack)):
            await asyncio.to_thread(_lay, into / name, await self._got(reference))
        at = f"{copied.default_branch} at {str(copied.head)[:12]}"
        return f"github {repository}: {copied.branches} branches, {copied.pull_requests} open pull requests, {at}"

    async def _asked(self, goal: GoalType, wanted: GoalInput, what: str) -> object:
        # Of its own id each time: what stood there an hour ago is no copy of now.
        workflow_id = f"{wanted.business_key()}/{datetime.now(UTC):%Y%m%dT%H%M%S.%f}"
        started = await start(self.client, goal, wanted, workflow_id=workflow_id, settings=self.settings)
        err.print(f"Copying [bold]{escape(shown(what))}[/] by reading\n  {started.link}", soft_wrap=True)
        ended: Callable[[], Awaitable[object]] = started.handle.result
        return await ended()

    async def _got(self, reference: str) -> bytes:
        try:
            return await self.store.get(reference)
        except ConnectorError as error:
            fail(str(error))


def require_copy_of(provider: str, part: str, content: bytes) -> None:
    """Refuse a copy that is of something else than was asked for."""
    try:
        head = _Head.model_validate_json(content)
    except ValidationError:
        fail(f"what was kept as the copy of {provider} is none: nothing was rehearsed")
    if (head.of, head.part) != (provider, part):
        fail(
            f"the copy of {provider} {part!r} is one of {head.of} {head.part!r}: nothing was rehearsed. Whoever may "
            "write to the artifact store or answers for the worker may have put it there"
        )


def _lay(file: Path, content: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
