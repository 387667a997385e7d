"""What the artifact store keeps of executions, found by the references in their histories.

What was said to models belongs to one goal alone: its name is the digest of bytes that are sealed for that goal. An
artifact is named by its content, so that another execution, or another deployment that uses the same store, may mean
the very same bytes. Which ones do is seen of this namespace alone, by reading all that stays.
"""

import re
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final, cast

from google.protobuf.message import Message
from temporalio.api.common.v1 import Header, Payload, SearchAttributes
from temporalio.client import Client, WorkflowExecution
from temporalio.service import RPCError, RPCStatusCode

from connectors.artifacts import ArtifactStore, DatedStore
from hitl.hidden import visible
from workers.forgetting.turns import each
from workflows.converter import SEALED_ENCODING

_ARTIFACT: Final = re.compile(rb"(?<![0-9A-Za-z])sha256:[0-9a-f]{64}(?![0-9A-Za-z])")
_TRANSCRIPT: Final = re.compile(rb"transcript:(\d{4}-\d{2}-\d{2}):([0-9a-f]{64})(?![0-9A-Za-z])")
_READ_AT_ONCE: Final = 100
_DECODED_AT_ONCE: Final = 1 << 20
"""Bytes; the codec server takes sixteen times that in one request."""
_NO_VALUES: Final = (Header, SearchAttributes)
_SEALED: Final = (b"binary/encrypted", SEALED_ENCODING.encode())
Transcript = tuple[str, date]
"""The digest of an entry, and its last day."""


class Unreadable(Exception):
    """A history cannot be read: what it names is not known."""


@dataclass(frozen=True, kw_only=True)
class References:
    """What some histories name."""

    artifacts: frozenset[str] = frozenset()
    transcripts: frozenset[Transcript] = frozenset()


@dataclass(frozen=True, kw_only=True)
class Stored:
    """What the store has of executions that go.

    Attributes:
        transcripts: Entries of what was said to models.
        alone: Artifacts that nothing else in the namespace names.
        shared: Artifacts that stay: something else names them, or they were written lately, or nobody looked.
    """

    transcripts: tuple[Transcript, ...] = ()
    alone: tuple[str, ...] = ()
    shared: tuple[str, ...] = ()


class Store:
    """The artifact store, and what lies beside the artifacts.

    Args:
        location: As of `ArtifactStore`; it is there.
    """

    def __init__(self, location: str) -> None:
        self._artifacts = ArtifactStore(location)
        self._transcripts = DatedStore(location, "transcripts")

    async def look(
        self, client: Client, due: Iterable[WorkflowExecution], *, artifacts: bool, limit: datetime
    ) -> Stored:
        """Find what they name and what is there of it; nothing is changed.

        Args:
            client: Of the namespace.
            due: The executions that go.
            artifacts: Whether it is looked up who else names their artifacts. It reads every history that stays.
            limit: An artifact that was written after it stays: who wrote it has perhaps not named it yet.

        Raises:
            ConnectorError: The store does not answer.
            RPCError: Temporal does not.
            Unreadable: It cannot be told what a history names.
        """
        runs = {one.run_id: one for one in due}
        named = await references(client, runs.values())
        there = dict(await each(self._artifacts.written_at, sorted(named.artifacts)))
        known = [one for one, at in there.items() if at is not None]
        alone = {one for one, at in there.items() if artifacts and at is not None and at <= limit}
        if alone:
            alone -= await _named_by_others(client, set(runs))
        held = dict(await each(lambda one: self._transcripts.holds(*one), sorted(named.transcripts)))
        return Stored(
            transcripts=tuple(one for one, holds in held.items() if holds),
            alone=tuple(one for one in known if one in alone),
            shared=tuple(one for one in known if one not in alone),
        )

    async def delete(self, stored: Stored, *, limit: datetime) -> Stored:
        """Delete transcripts, and the artifacts that are theirs alone and were not written meanwhile.

        Returns:
            What is deleted, and which artifacts stay.

        Raises:
            ConnectorError: The store does not answer. Begun again, it goes on.
        """

        async def artifact(reference: str) -> bool:
            at = await self._artifacts.written_at(reference)
            if at is not None and at > limit:
                return False
            await self._artifacts.delete(reference)
            return True

        await each(lambda one: self._transcripts.delete(*one), stored.transcripts)
        gone = dict(await each(artifact, stored.alone))
        return Stored(
            transcripts=stored.transcripts,
            alone=tuple(one for one in stored.alone if gone[one]),
            shared=(*stored.shared, *(one for one in stored.alone if not gone[one])),
        )


async def references(client: Client, those: Iterable[WorkflowExecution]) -> References:
    """What these executions name in their histories.

    Raises:
        RPCError: The server does not answer.
        Unreadable: One of them is encrypted, and does not decrypt here.
    """
    read = await each(lambda one: _read(client, one), those)
    found = [one for _, one in read]
    return References(
        artifacts=frozenset(name for one in found for name in one.artifacts),
        transcripts=frozenset(name for one in found for name in one.transcripts),
    )


async def _named_by_others(client: Client, runs: set[str]) -> set[str]:
    """The artifacts that all other executions of the namespace name."""
    found: set[str] = set()
    some: list[WorkflowExecution] = []
    async for one in client.list_workflows(""):
        if one.run_id not in runs:
            some.append(one)
        if len(some) == _READ_AT_ONCE:
            found |= (await references(client, some)).artifacts
            some.clear()
    return found | (await references(client, some)).artifacts


async def _read(client: Client, one: WorkflowExecution) -> References:
    artifacts: set[str] = set()
    transcripts: set[Transcript] = set()
    try:
        async for data in _plain(client, one):
            artifacts |= {found.decode() for found in _ARTIFACT.findall(data)}
            for day, digest in _TRANSCRIPT.findall(data):
                if (until := _date(day)) is not None:
                    transcripts.add((digest.decode(), until))
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:  # it went while it was looked for
            raise
    return References(artifacts=frozenset(artifacts), transcripts=frozenset(transcripts))


async def _plain(client: Client, of: WorkflowExecution) -> AsyncIterator[bytes]:
    """Every value of a history, as it was before it was encrypted."""
    handle = client.get_workflow_handle(of.id, run_id=of.run_id)
    some: list[Payload] = []
    async for event in handle.fetch_history_events():
        some += _payloads(event)
        if sum(one.ByteSize() for one in some) >= _DECODED_AT_ONCE:
            for data in await _decoded(client, some, of.id):
                yield data
            some = []
    for data in await _decoded(client, some, of.id):
        yield data


async def _decoded(client: Client, some: list[Payload], workflow_id: str) -> list[bytes]:
    codec = client.data_converter.payload_codec
    plain = await codec.decode(some) if codec is not None and some else some
    if any(one.metadata.get("encoding", b"").startswith(_SEALED) for one in plain):
        raise Unreadable(
            f"{visible(workflow_id)!r} cannot be decrypted here, so that nobody sees what it names in the artifact "
            "store: give the command the codec server and every key, or leave the store: --leave-stored"
        )
    return [one.data for one in plain]


def _payloads(message: Message) -> Iterator[Payload]:
    """All that are in it, however deep."""
    if isinstance(message, Payload):
        yield message
        return
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        if field.message_type.GetOptions().map_entry:
            inner: Iterable[object] = cast("dict[object, object]", value).values()
        else:
            inner = cast("Iterable[object]", value) if field.is_repeated else (value,)
        for one in inner:
            if isinstance(one, Message) and not isinstance(one, _NO_VALUES):
                yield from _payloads(one)


def _date(day: bytes) -> date | None:
    try:
        return date.fromisoformat(day.decode())
    except ValueError:
        return None
