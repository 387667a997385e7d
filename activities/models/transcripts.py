"""What was said before, outside of histories: a chain of sealed entries, each of which names the one before it.

With every message in its payload, a history would grow with the square of the turns. Here it holds one reference a
turn. An entry is what one turn added, so that the store does not grow like that, either.

An entry is sealed with a key of its conversation, which lies beside it wrapped by Vault's transit key `transcripts`:
the models worker alone may unwrap it. Environment, goal and last day are bound to each. Its name is the digest of its
sealed bytes, so that a reference stands for the whole chain, to the last byte.
"""

import re
import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import BaseModel, ConfigDict

from connectors.artifacts import DatedStore
from connectors.errors import InvalidRequest, NotFound
from connectors.models.messages import Message

KEY: Final = "transcripts"
"""The transit key's name."""
MOST_TURNS: Final = 500
_MAGIC: Final = b"banksman-transcript/v1\n"
_NONCE: Final = 12
_MOST_KEYS: Final = 256
_REFERENCE: Final = re.compile(r"transcript:(\d{4}-\d{2}-\d{2}):([0-9a-f]{64})")


class DataKeys(Protocol):
    """Makes and unwraps keys for data. A worker's standing in Vault is one."""

    async def make_data_key(self, key: str) -> tuple[bytes, str]:
        """A new key of 32 bytes, and the same wrapped by this transit key."""
        ...

    async def open_data_key(self, key: str, wrapped: str) -> bytes:
        """The key that was wrapped."""
        ...


class Entry(BaseModel):
    """What one turn added.

    Attributes:
        before: The reference of the entry before it.
        labels: Of the data in it and in all before it.
        messages: What was told, and what was answered.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    before: str | None = None
    labels: tuple[str, ...] = ()
    messages: tuple[Message, ...]


@dataclass(frozen=True, kw_only=True)
class Conversation:
    """What was said so far, and the key for what comes.

    Attributes:
        goal: The id of the workflow whose it is.
        until: The last day of all of it.
        wrapped: Its key, as it lies beside each entry.
        cipher: With that key.
        reference: Of its newest entry; None where nothing was said yet.
        labels: Of all that is in it.
        messages: In their order.
    """

    goal: str
    until: date
    wrapped: str
    cipher: AESGCM
    reference: str | None = None
    labels: tuple[str, ...] = ()
    messages: tuple[Message, ...] = ()


class Transcripts:
    """Keeps them, and reads them again.

    Args:
        keys: Wraps the keys.
        store: Where entries lie.
        environment: Of this deployment; an entry of another one does not open.
        days: For how long a conversation is kept, from its first turn.
        clock: What time it is, in UTC.
    """

    def __init__(
        self,
        keys: DataKeys,
        store: DatedStore,
        *,
        environment: str,
        days: int,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._keys, self._store, self._environment = keys, store, environment
        self._days, self._now = days, clock
        self._ciphers: OrderedDict[str, AESGCM] = OrderedDict()

    async def begin(self, goal: str) -> Conversation:
        """One in which nothing was said yet.

        Raises:
            ConnectorError: Vault makes no key.
        """
        raw, wrapped = await self._keys.make_data_key(KEY)
        until = (self._now() + timedelta(days=self._days)).date()
        return Conversation(goal=goal, until=until, wrapped=wrapped, cipher=self._remember(wrapped, raw))

    async def read(self, reference: str, goal: str) -> Conversation:
        """All that was said up to this entry.

        Raises:
            InvalidRequest: It is none, does not open here, is another goal's, or has too many turns.
            NotFound: Its last day is over, or a part of it is gone.
            Unavailable: Vault or the store does not answer.
        """
        wrapped, cipher, newest = await self._opened(reference, reference, goal)
        entries, before = [newest], newest.before
        while before is not None:
            if len(entries) == MOST_TURNS:
                raise InvalidRequest(f"{reference!r} has more than {MOST_TURNS} turns: begin a new conversation")
            _, _, entry = await self._opened(before, reference, goal)
            entries.append(entry)
            before = entry.before
        return Conversation(
            goal=goal,
            until=_until(reference),
            wrapped=wrapped,
            cipher=cipher,
            reference=reference,
            labels=newest.labels,
            messages=tuple(message for one in reversed(entries) for message in one.messages),
        )

    async def keep(self, so_far: Conversation, messages: tuple[Message, ...], labels: tuple[str, ...]) -> str:
        """Add what one turn said.

        Returns:
            The reference of all that was said, this included.

        Raises:
            Unavailable: The store cannot be written.
        """
        entry = Entry(before=so_far.reference, labels=tuple(sorted({*so_far.labels, *labels})), messages=messages)
        nonce, head = secrets.token_bytes(_NONCE), _MAGIC + so_far.wrapped.encode() + b"\n"
        bound = head + self._bound(so_far.goal, so_far.until)
        sealed = so_far.cipher.encrypt(nonce, entry.model_dump_json().encode(), bound)
        return f"transcript:{so_far.until}:{await self._store.put(head + nonce + sealed, so_far.until)}"

    async def sweep(self) -> int:
        """Delete what has had its last day, and say how much that was.

        Raises:
            Unavailable: The store cannot be read or written.
        """
        return await self._store.sweep(self._now().date())

    async def _sealed(self, entry: str, reference: str) -> bytes:
        until = _until(entry)
        if until < self._now().date():
            raise NotFound(f"{reference!r} was kept until {until}, and is gone: begin the conversation again")
        try:
            return await self._store.get(entry.rpartition(":")[2], until)
        except NotFound as error:
            part = "" if entry == reference else f" a part of it, {entry!r},"
            told = f"{reference!r} is gone:{part or ' it'} is not in the store, or was changed there. "
            told += "Begin the conversation again"
            raise NotFound(told) from error

    async def _opened(self, entry: str, reference: str, goal: str) -> tuple[str, AESGCM, Entry]:
        sealed = await self._sealed(entry, reference)
        head, wrapped, rest = _split(sealed)
        try:
            cipher = await self._cipher(wrapped)
            plain = cipher.decrypt(rest[:_NONCE], rest[_NONCE:], head + self._bound(goal, _until(entry)))
            return wrapped, cipher, Entry.model_validate_json(plain)
        except (InvalidRequest, InvalidTag, ValueError) as error:
            raise InvalidRequest(
                f"{reference!r} does not open here: it is another goal's or another environment's, was changed, or the "
                f"transit key {KEY!r} is not the one it was sealed with. Begin the conversation again"
            ) from error

    async def _cipher(self, wrapped: str) -> AESGCM:
        if (found := self._ciphers.get(wrapped)) is not None:
            self._ciphers.move_to_end(wrapped)
            return found
        return self._remember(wrapped, await self._keys.open_data_key(KEY, wrapped))

    def _remember(self, wrapped: str, raw: bytes) -> AESGCM:
        self._ciphers[wrapped] = made = AESGCM(raw)
        while len(self._ciphers) > _MOST_KEYS:
            self._ciphers.popitem(last=False)
        return made

    def _bound(self, goal: str, until: date) -> bytes:
        return f"{self._environment}\0{goal}\0{until}".encode()


def _until(reference: str) -> date:
    match = _REFERENCE.fullmatch(reference)
    try:
        if match is not None:
            return date.fromisoformat(match[1])
    except ValueError:
        pass
    raise InvalidRequest(f"{reference!r} is no transcript: give the reference that an answer had")


def _split(sealed: bytes) -> tuple[bytes, str, bytes]:
    """What stands above an entry, the wrapped key in that, and the rest."""
    end = sealed.find(b"\n", len(_MAGIC)) + 1
    return sealed[:end], sealed[len(_MAGIC) : max(end - 1, 0)].decode("ascii", errors="replace"), sealed[end:]
