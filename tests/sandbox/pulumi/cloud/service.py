"""What Pulumi Cloud keeps and holds to: stacks, their updates one at a time, leases, states, secrets, histories.

Made by what the CLI's client sends and expects (`backend/httpstate` and `apitype` of 3.200); the answers of the real
service were not seen. That previews, and dry runs of other kinds, have no version and take no turn follows from what
the client says of them.
"""

import hashlib
import json
import os
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, cast

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import JsonValue

Json = dict[str, JsonValue]
LEASE_SECONDS: Final = 300
NOTHING: Final = {"manifest": {"time": "0001-01-01T00:00:00Z", "magic": "", "version": ""}}
_NONCE: Final = 12


class Refused(Exception):
    """What the service does not do, as it says that."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


@dataclass
class Update:
    """One update, preview, refresh, destruction or import."""

    kind: str
    dry: bool
    author: str
    message: str = ""
    environment: dict[str, str] = field(default_factory=dict[str, str])
    config: Json = field(default_factory=dict[str, JsonValue])
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    version: int = 0
    token: str = ""
    expires: float = 0.0
    result: str = "not-started"
    started: float = 0.0
    ended: float = 0.0
    saved: bytes = b""
    events: dict[int, Json] = field(default_factory=dict[int, Json])

    @property
    def changes(self) -> Json:
        """As its last summary counts them."""
        found: Json = {}
        for _, event in sorted(self.events.items()):
            if isinstance(summary := event.get("summaryEvent"), dict):
                found = cast("Json", summary.get("resourceChanges") or {})
        return found

    @property
    def info(self) -> Json:
        """For a history."""
        return {
            "kind": self.kind,
            "startTime": int(self.started),
            "message": self.message,
            "environment": cast("JsonValue", self.environment),
            "config": self.config,
            "result": self.result,
            "endTime": int(self.ended),
            "version": self.version,
            "resourceChanges": self.changes,
        }


@dataclass
class Stack:
    """One stack."""

    name: tuple[str, str, str]
    tags: Json
    state: Json
    key: bytes = field(default_factory=lambda: AESGCM.generate_key(bit_length=256))
    updates: dict[str, Update] = field(default_factory=dict[str, Update])
    history: list[Update] = field(default_factory=list[Update])
    """All that have a version, the newest first."""
    policies: list[Json] = field(default_factory=list[Json])
    """Packs that are to be run with each update."""
    checkpoints: list[Json] = field(default_factory=list[Json])
    """Every state that was sent, by whichever way."""

    @property
    def active(self) -> Update | None:
        """The update that has its turn."""
        for update in self.history:
            if update.result == "in-progress":
                if update.expires > time.time():
                    return update
                self.end(update, "failed")
        return None

    def begin(self, update: Update) -> None:
        """Its turn."""
        if not update.dry:
            if self.active is not None:
                raise Refused(409, "Conflict: Another update is currently in progress.")
            update.version = self.version + 1
            self.history.insert(0, update)
        update.result, update.started = "in-progress", time.time()
        update.token, update.expires = uuid.uuid4().hex, time.time() + LEASE_SECONDS

    def end(self, update: Update, result: str) -> None:
        """Nobody may work on it any more."""
        update.result, update.ended, update.token = result, time.time(), ""

    @property
    def version(self) -> int:
        """Of the last update."""
        return self.history[0].version if self.history else 0

    def save(self, update: Update, text: bytes) -> None:
        """A whole state, of an update that has its turn."""
        if update.dry:
            raise Refused(400, "Bad Request: a preview saves no state")
        read = cast("Json", json.loads(text))
        self.state, update.saved = read, text
        self.checkpoints.append(read)

    def save_delta(self, update: Update, edits: list[Json], digest: str) -> None:
        """The differences to what was saved before, as positions in its bytes."""
        text = update.saved
        for edit in reversed(edits):
            span = cast("Mapping[str, Mapping[str, int]]", edit["Span"])
            start, end = span["start"]["offset"], span["end"]["offset"]
            text = text[:start] + str(edit["NewText"]).encode() + text[end:]
        if hashlib.sha256(text).hexdigest() != digest:
            raise Refused(400, "Bad Request: the checkpoint's hash is another")
        self.save(update, text)

    def encrypted(self, plain: bytes) -> bytes:
        nonce = os.urandom(_NONCE)
        return nonce + AESGCM(self.key).encrypt(nonce, plain, None)

    def decrypted(self, secret: bytes) -> bytes:
        try:
            return AESGCM(self.key).decrypt(secret[:_NONCE], secret[_NONCE:], None)
        except InvalidTag as error:
            raise Refused(400, "Bad Request: invalid ciphertext") from error

    @property
    def resources(self) -> list[Json]:
        deployment = cast("Json", self.state["deployment"])
        return cast("list[Json]", deployment.get("resources") or [])

    @property
    def page(self) -> Json:
        """As people and the CLI see it."""
        organization, project, stack = self.name
        page: Json = {
            "orgName": organization,
            "projectName": project,
            "stackName": stack,
            "activeUpdate": self.history[0].id if self.history else "",
            "tags": self.tags,
            "version": self.version,
        }
        if (active := self.active) is not None:
            page["currentOperation"] = {"kind": active.kind, "author": active.author, "started": int(active.started)}
        return page


class Service:
    """All of it.

    Attributes:
        accounts: Whose each token is.
        organizations: What each account may reach.
        policies: What each organization wants to be run with every update.
        delta: From how many bytes on states may be sent as differences.
    """

    def __init__(self) -> None:
        self.accounts: dict[str, str] = {}
        self.organizations: dict[str, str] = {}
        self.policies: dict[str, list[Json]] = {}
        self.stacks: dict[tuple[str, str, str], Stack] = {}
        self.delta = 1

    def account(self, kind: str, token: str) -> str:
        """Whose token that is."""
        if kind != "token" or token not in self.accounts:
            raise Refused(401, "Unauthorized: No credentials provided or are invalid.")
        return self.accounts[token]

    def stack(self, account: str, *name: str) -> Stack:
        """One that the account may reach."""
        found = self.stacks.get(cast("tuple[str, str, str]", name))
        if found is None or self.organizations[account] != name[0]:
            raise Refused(404, f"Not Found: Stack '{'/'.join(name)}' not found")
        return found

    def make(self, account: str, asked: Json, *where: str) -> None:
        """A new stack, with the state that it is to begin with."""
        if self.organizations[account] != where[0]:
            raise Refused(404, f"Not Found: Organization '{where[0]}' not found")
        name = cast("tuple[str, str, str]", (*where, str(asked["stackName"])))
        if name in self.stacks:
            raise Refused(409, f"Conflict: Stack '{name[2]}' already exists")
        tags = cast("Json", asked.get("tags") or {})
        state = cast("Json", asked.get("state") or {"version": 3, "deployment": NOTHING})
        self.stacks[name] = Stack(name, tags, state, policies=self.policies.get(where[0], []))

    def leased(self, kind: str, token: str, *name: str, update: str) -> tuple[Stack, Update]:
        """What an update token is for, while its lease lasts."""
        stack = self.stacks.get(cast("tuple[str, str, str]", name))
        found = stack.updates.get(update) if stack is not None else None
        if stack is None or found is None:
            raise Refused(404, "Not Found: Update not found")
        if kind != "update-token" or not token or token != found.token or found.expires < time.time():
            raise Refused(403, "Forbidden: The update token is invalid or has expired.")
        return stack, found
