"""Pulumi Cloud's twin: as much of its HTTP API as the CLI asks when stacks are run, over TLS."""

import base64
import gzip
import json
import threading
import time
from collections.abc import Awaitable, Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import cast

import uvicorn
from pydantic import JsonValue
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.sandbox.pulumi.cloud.service import LEASE_SECONDS, Json, Refused, Service, Stack, Update

_STACK = "/api/stacks/{organization}/{project}/{stack}"
_UPDATE = f"{_STACK}/update/{{update}}"
_PATIENCE = 10.0


@dataclass
class Seen:
    """One request."""

    method: str
    path: str
    peer: str
    status: int


@dataclass
class Twin:
    """The API.

    Attributes:
        service: What it keeps.
        seen: What was asked, in order.
    """

    service: Service = field(default_factory=Service)
    seen: list[Seen] = field(default_factory=list[Seen])

    @property
    def app(self) -> Starlette:
        account, stack, lease = self._account, self._of_stack, self._of_update
        routes = [
            Route("/api/capabilities", account(self._capabilities)),
            Route("/api/user", account(self._user)),
            Route("/api/user/organizations/default", account(self._default)),
            Route("/api/stacks/{organization}/{project}", account(self._make), methods=["POST"]),
            Route(_STACK, stack(_page)),
            Route(_STACK, stack(self._remove), methods=["DELETE"]),
            Route(f"{_STACK}/export", stack(_export)),
            Route(f"{_STACK}/import", stack(_import), methods=["POST"]),
            Route(f"{_STACK}/updates", stack(_history)),
            Route(f"{_STACK}/encrypt", stack(_encrypt), methods=["POST"]),
            Route(f"{_STACK}/batch-encrypt", stack(_encrypt), methods=["POST"]),
            Route(f"{_STACK}/decrypt", stack(_decrypt), methods=["POST"]),
            Route(f"{_STACK}/batch-decrypt", stack(_decrypt_all), methods=["POST"]),
            *(Route(f"{_STACK}/{kind}", stack(partial(_create, kind)), methods=["POST"]) for kind in _KINDS),
            Route(_UPDATE, stack(_start), methods=["POST"]),
            Route(_UPDATE, stack(_results)),
            Route(f"{_UPDATE}/cancel", stack(_cancel), methods=["POST"]),
            Route(f"{_UPDATE}/checkpoint", lease(_checkpoint), methods=["PATCH"]),
            Route(f"{_UPDATE}/checkpointverbatim", lease(_verbatim), methods=["PATCH"]),
            Route(f"{_UPDATE}/checkpointdelta", lease(_delta), methods=["PATCH"]),
            Route(f"{_UPDATE}/events/batch", lease(_events), methods=["POST"]),
            Route(f"{_UPDATE}/renew_lease", lease(_renew), methods=["POST"]),
            Route(f"{_UPDATE}/complete", lease(_complete), methods=["POST"]),
            Route("/packs/{pack}", self._answered(_no_pack)),
            Route("/{rest:path}", self._answered(_unknown), methods=["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]),
        ]
        return Starlette(routes=routes)

    def unknown(self) -> list[str]:
        """What was asked and is not known here."""
        return [f"{one.method} {one.path}" for one in self.seen if one.status == 501]

    def asked(self, part: str) -> list[str]:
        """The paths with this in them."""
        return [one.path for one in self.seen if part in one.path]

    def _account(self, answer: Callable[[str, Request, Json], "_Answer"]) -> "_Endpoint":
        async def endpoint(request: Request) -> Response:
            return _said(answer(self.service.account(*_credential(request)), request, await _body(request)))

        return self._answered(endpoint)

    def _of_stack(self, answer: Callable[[Stack, str, Request, Json], "_Answer"]) -> "_Endpoint":
        async def endpoint(request: Request) -> Response:
            account = self.service.account(*_credential(request))
            stack = self.service.stack(account, *_name(request))
            return _said(answer(stack, account, request, await _body(request)))

        return self._answered(endpoint)

    def _of_update(self, answer: Callable[[Stack, Update, bytes], "_Answer"]) -> "_Endpoint":
        async def endpoint(request: Request) -> Response:
            update = str(request.path_params["update"])
            stack, found = self.service.leased(*_credential(request), *_name(request), update=update)
            return _said(answer(stack, found, await _content(request)))

        return self._answered(endpoint)

    def _answered(self, endpoint: "_Endpoint") -> "_Endpoint":
        async def answered(request: Request) -> Response:
            try:
                response = await endpoint(request)
            except Refused as refused:
                body = {"code": refused.status, "message": refused.message}
                response = JSONResponse(body, status_code=refused.status)
            peer = request.client.host if request.client is not None else ""
            self.seen.append(Seen(request.method, request.url.path, peer, response.status_code))
            return response

        return answered

    def _capabilities(self, account: str, request: Request, body: Json) -> "_Answer":
        cutoff: Json = {"checkpointCutoffSizeBytes": self.service.delta}
        return {
            "capabilities": [
                {"capability": "delta-checkpoint-uploads-v2", "version": 2, "configuration": cutoff},
                {"capability": "batch-encrypt"},
            ]
        }

    def _user(self, account: str, request: Request, body: Json) -> "_Answer":
        organization = self.service.organizations[account]
        return {
            "id": account,
            "githubLogin": account,
            "name": account,
            "organizations": [{"githubLogin": organization, "name": organization}],
        }

    def _default(self, account: str, request: Request, body: Json) -> "_Answer":
        return {"GitHubLogin": self.service.organizations[account]}

    def _make(self, account: str, request: Request, body: Json) -> "_Answer":
        where = (str(request.path_params[part]) for part in ("organization", "project"))
        self.service.make(account, body, *where)
        return {}

    def _remove(self, stack: Stack, account: str, request: Request, body: Json) -> "_Answer":
        if stack.resources and request.query_params.get("force") != "true":
            raise Refused(400, "Bad Request: Stack still contains resources.")
        del self.service.stacks[stack.name]
        return None


_Answer = Mapping[str, JsonValue] | None
_Endpoint = Callable[[Request], Awaitable[Response]]
_KINDS = {"preview": "preview", "update": "update", "refresh": "refresh", "destroy": "destroy"}


async def _unknown(request: Request) -> Response:
    raise Refused(501, f"the twin does not know {request.method} {request.url.path}")


async def _no_pack(request: Request) -> Response:
    raise Refused(404, "Not Found")


def _credential(request: Request) -> tuple[str, str]:
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    return kind, token


def _name(request: Request) -> tuple[str, ...]:
    return tuple(str(request.path_params[part]) for part in ("organization", "project", "stack"))


async def _content(request: Request) -> bytes:
    content = await request.body()
    return gzip.decompress(content) if request.headers.get("Content-Encoding") == "gzip" else content


async def _body(request: Request) -> Json:
    content = await _content(request)
    return cast("Json", json.loads(content)) if content else {}


def _said(answer: _Answer) -> Response:
    return Response(status_code=204) if answer is None else JSONResponse(answer)


def _page(stack: Stack, account: str, request: Request, body: Json) -> _Answer:
    return stack.page


def _export(stack: Stack, account: str, request: Request, body: Json) -> _Answer:
    return stack.state


def _import(stack: Stack, account: str, request: Request, body: Json) -> _Answer:
    update = Update("import", dry=False, author=account)
    stack.updates[update.id] = update
    stack.begin(update)
    stack.save(update, json.dumps(body).encode())
    stack.end(update, "succeeded")
    return {"updateId": update.id}


def _history(stack: Stack, account: str, request: Request, body: Json) -> _Answer:
    size, page = (int(request.query_params.get(name, default)) for name, default in (("pageSize", 100), ("page", 1)))
    _ = stack.active
    return {"updates": [one.info for one in stack.history[(page - 1) * size : page * size]]}


def _encrypt(stack: Stack, account: str, request: Request, body: Json) -> _Answer:
    if "plaintext" in body:
        return {"ciphertext": _to_text(stack.encrypted(_to_bytes(body["plaintext"])))}
    plain = cast("list[JsonValue]", body["plaintexts"])
    return {"ciphertexts": [_to_text(stack.encrypted(_to_bytes(one))) for one in plain]}


def _decrypt(stack: Stack, account: str, request: Request, body: Json) -> _Answer:
    return {"plaintext": _to_text(stack.decrypted(_to_bytes(body["ciphertext"])))}


def _decrypt_all(stack: Stack, account: str, request: Request, body: Json) -> _Answer:
    secrets = cast("list[str]", body["ciphertexts"])
    return {"plaintexts": {one: _to_text(stack.decrypted(_to_bytes(one))) for one in secrets}}


def _to_bytes(text: JsonValue) -> bytes:
    return base64.b64decode(str(text), validate=True)


def _to_text(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _create(kind: str, stack: Stack, account: str, request: Request, body: Json) -> _Answer:
    options, metadata = (cast("Json", body.get(name) or {}) for name in ("options", "metadata"))
    update = Update(
        kind,
        dry=kind == "preview" or bool(options.get("dryRun")),
        author=account,
        message=str(metadata.get("message") or ""),
        environment=cast("dict[str, str]", metadata.get("environment") or {}),
        config=cast("Json", body.get("config") or {}),
    )
    stack.updates[update.id] = update
    return {"updateID": update.id, "requiredPolicies": cast("JsonValue", stack.policies)}


def _found(stack: Stack, request: Request) -> Update:
    if (update := stack.updates.get(str(request.path_params["update"]))) is None:
        raise Refused(404, "Not Found: Update not found")
    return update


def _start(stack: Stack, account: str, request: Request, body: Json) -> _Answer:
    update = _found(stack, request)
    stack.begin(update)
    stack.tags = cast("Json", body.get("tags") or stack.tags)
    return {"version": update.version, "token": update.token, "tokenExpiration": int(update.expires)}


def _results(stack: Stack, account: str, request: Request, body: Json) -> _Answer:
    return {"status": _found(stack, request).result, "events": []}


def _cancel(stack: Stack, account: str, request: Request, body: Json) -> _Answer:
    update = _found(stack, request)
    if stack.active is not update:
        raise Refused(409, "Conflict: The update has already completed.")
    stack.end(update, "failed")
    return {}


def _checkpoint(stack: Stack, update: Update, content: bytes) -> _Answer:
    body = cast("Json", json.loads(content))
    kept = {name: body[name] for name in ("version", "features", "deployment") if name in body}
    stack.save(update, json.dumps(kept).encode())
    return {}


def _verbatim(stack: Stack, update: Update, content: bytes) -> _Answer:
    # Differences are counted in the bytes as they were sent.
    text = content.decode()
    mark = '"untypedDeployment":'
    start = text.index(mark) + len(mark)
    _, end = json.JSONDecoder().raw_decode(text, start)
    stack.save(update, text[start:end].encode())
    return {}


def _delta(stack: Stack, update: Update, content: bytes) -> _Answer:
    body = cast("Json", json.loads(content))
    stack.save_delta(update, cast("list[Json]", body["deploymentDelta"]), str(body["checkpointHash"]))
    return {}


def _events(stack: Stack, update: Update, content: bytes) -> _Answer:
    for event in cast("list[Json]", cast("Json", json.loads(content))["events"]):
        update.events[cast("int", event["sequence"])] = event
    return {}


def _renew(stack: Stack, update: Update, content: bytes) -> _Answer:
    seconds = cast("int", cast("Json", json.loads(content))["duration"])
    update.expires = time.time() + min(seconds, LEASE_SECONDS)
    return {"token": update.token, "tokenExpiration": int(update.expires)}


def _complete(stack: Stack, update: Update, content: bytes) -> _Answer:
    stack.end(update, str(cast("Json", json.loads(content))["status"]))
    return {}


@contextmanager
def served(twin: Twin, address: str, certificate: Path) -> Generator[None]:
    """On this address and port 443, in a thread: tests have event loops of their own."""
    config = uvicorn.Config(
        twin.app,
        host=address,
        port=443,
        ssl_certfile=certificate,
        log_config=None,
        lifespan="off",
        ws="none",
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        waited = threading.Event()
        left = _PATIENCE
        while not server.started and thread.is_alive() and left > 0:
            left -= 0.02
            waited.wait(0.02)
        assert server.started, f"the twin does not listen at {address}:443"
        yield
    finally:
        server.should_exit = True
        thread.join(_PATIENCE)
