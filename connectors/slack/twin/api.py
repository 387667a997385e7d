"""Slack's Web API: who calls, how often, with what; and the one address that a click gives out."""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from connectors.slack.twin.arguments import (
    CompleteUpload,
    Delete,
    History,
    NoArguments,
    OpenModal,
    Permalink,
    Post,
    PostEphemeral,
    Replies,
    Update,
    UploadUrl,
    UserByEmail,
    UserInfo,
    read_arguments,
)
from connectors.slack.twin.chat import Chat
from connectors.slack.twin.config import TwinConfig
from connectors.slack.twin.files import Files
from connectors.slack.twin.limits import Meter, Tier
from connectors.slack.twin.people import CommandAnswer, People
from connectors.slack.twin.problems import Json, SlackProblem, answer_rate_limited
from connectors.slack.twin.tickets import ResponseUrl, Tickets

A = TypeVar("A", bound=BaseModel)
CONNECT: Final = "apps.connections.open"


@dataclass(frozen=True)
class _Method:
    """One method: what it does, how often it may be called, what it needs."""

    call: Callable[[Mapping[str, object], str], Json]
    tier: Tier | None
    scope: str | None


def _method(arguments: type[A], run: Callable[[A, str], Json], tier: Tier | None, scope: str | None = None) -> _Method:
    def call(given: Mapping[str, object], base_url: str) -> Json:
        try:
            asked = arguments.model_validate(given)
        except ValidationError as error:
            raise _refused(error) from None
        return run(asked, base_url)

    return _Method(call, tier, scope)


@dataclass
class WebApi:
    """The methods, over one workspace."""

    config: TwinConfig
    chat: Chat
    files: Files
    people: People
    tickets: Tickets
    meter: Meter

    def __post_init__(self) -> None:
        chat, files = self.chat, self.files
        write, history, users = "chat:write", "channels:history", "users:read"
        self._methods: Mapping[str, _Method] = {
            "auth.test": _method(NoArguments, chat.auth_test, 4),
            "chat.postMessage": _method(Post, chat.post, None, write),
            "chat.postEphemeral": _method(PostEphemeral, chat.post_ephemeral, 4, write),
            "chat.update": _method(Update, chat.update, 3, write),
            "chat.delete": _method(Delete, chat.delete, 3, write),
            "chat.getPermalink": _method(Permalink, chat.permalink, 4),
            "conversations.history": _method(History, chat.history, 3, history),
            "conversations.replies": _method(Replies, chat.replies, 3, history),
            "users.info": _method(UserInfo, chat.user_info, 4, users),
            "users.lookupByEmail": _method(UserByEmail, chat.user_by_email, 3, "users:read.email"),
            "views.open": _method(OpenModal, chat.open_modal, 4),
            "files.getUploadURLExternal": _method(UploadUrl, files.upload_url, 4, "files:write"),
            "files.completeUploadExternal": _method(CompleteUpload, files.complete, 4, "files:write"),
            CONNECT: _method(NoArguments, self._connect, 1),
        }

    async def answer(self, request: Request) -> Response:
        """One call, as Slack answers it."""
        name = str(request.path_params["method"])
        headers = {"X-Slack-Req-Id": secrets.token_hex(16), "X-OAuth-Scopes": ",".join(sorted(self.config.app.scopes))}
        try:
            method = self._method(name)
            given = await read_arguments(request)
            self._authorise(request, given, name, scope=method.scope)
            wait = self.meter.wait(name, method.tier, channel=str(given.get("channel", "")))
            if wait:
                return answer_rate_limited(wait)
            body: Json = {"ok": True, **method.call(given, _base_url(request))}
        except SlackProblem as problem:
            body = problem.body()
        return JSONResponse(body, headers=headers)

    def _method(self, name: str) -> _Method:
        if name not in self._methods:
            raise SlackProblem("unknown_method", req_method=name)
        return self._methods[name]

    def _authorise(self, request: Request, given: Mapping[str, object], name: str, *, scope: str | None) -> None:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        token = token.strip() if scheme.lower() == "bearer" else str(given.get("token", ""))
        if not token:
            raise SlackProblem("not_authed")
        app = self.config.app
        right, wrong = (app.app_token, app.bot_token) if name == CONNECT else (app.bot_token, app.app_token)
        if secrets.compare_digest(token.encode(), wrong.encode()):
            raise SlackProblem("not_allowed_token_type")
        if not secrets.compare_digest(token.encode(), right.encode()):
            raise SlackProblem("invalid_auth")
        if scope is not None and scope not in app.scopes:
            raise SlackProblem("missing_scope", needed=scope, provided=",".join(sorted(app.scopes)))

    def _connect(self, asked: NoArguments, base_url: str) -> Json:
        del asked
        if self.config.app.request_url is not None:
            raise SlackProblem("socket_mode_not_enabled")
        return {"url": f"ws{base_url.removeprefix('http')}/link/?ticket={self.tickets.socket()}"}

    async def respond(self, request: Request) -> Response:
        """A response URL: another message, or the clicked one replaced or removed."""
        try:
            found = self.tickets.respond(str(request.path_params["secret"]))
            said = CommandAnswer.model_validate(await read_arguments(request))
            self._say(said, found)
        except ValidationError:
            return JSONResponse({"ok": False, "error": "invalid_payload"}, status_code=400)
        except SlackProblem as problem:
            status = 404 if problem.error in {"expired_url", "used_url"} else 400
            return JSONResponse(problem.body(), status_code=status)
        return JSONResponse({"ok": True})

    def _say(self, said: CommandAnswer, found: ResponseUrl) -> None:
        workspace = self.people.workspace
        clicked = workspace.find(found.channel, found.ts) if found.ts else None
        if not (said.replace_original or said.delete_original) or clicked is None:
            self.people.app_says(said, user=found.user, channel=found.channel)
            return
        if said.delete_original:
            clicked.deleted = True
        else:
            clicked.blocks = said.read(characters=self.config.limits.blocks_characters)
            clicked.text = said.text
            clicked.edited, clicked.edits = workspace.new_ts(), clicked.edits + 1
        workspace.put(clicked)


def _base_url(request: Request) -> str:
    return str(request.base_url).rstrip("/")


def _refused(error: ValidationError) -> SlackProblem:
    told = [
        f"{'missing required field' if one['type'] == 'missing' else one['msg']}: {'/'.join(map(str, one['loc']))}"
        for one in error.errors(include_url=False, include_input=False)
    ]
    if any(one["loc"] == ("channel",) for one in error.errors()):
        return SlackProblem("channel_not_found")
    return SlackProblem("invalid_arguments", told)
