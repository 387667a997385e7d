"""What an app may send to each method, as JSON, as a form or in the query; nested values as JSON text in the latter."""

import json
from collections.abc import Mapping
from typing import Annotated, Final, cast
from urllib.parse import parse_qsl

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, JsonValue
from starlette.requests import Request

from connectors.slack.twin.problems import Json, SlackProblem

_JSON: Final = "application/json"
_FORM: Final = "application/x-www-form-urlencoded"
UNREADABLE: Final = "\0unreadable"
"""What stands for nested JSON that could not be read."""


def _nested(given: object) -> object:
    if not isinstance(given, str):
        return given
    try:
        return json.loads(given)
    except ValueError:
        return UNREADABLE


Nested = Annotated[JsonValue, BeforeValidator(_nested)]


class _Arguments(BaseModel):
    model_config = ConfigDict(extra="ignore", coerce_numbers_to_str=True)


class NoArguments(_Arguments):
    """Nothing is needed."""


class Content(_Arguments):
    """What a message says."""

    channel: str
    text: str = ""
    blocks: Nested = None
    metadata: Nested = None


class Post(Content):
    """`chat.postMessage`."""

    thread_ts: str | None = None


class PostEphemeral(Content):
    """`chat.postEphemeral`."""

    user: str
    thread_ts: str | None = None


class Update(Content):
    """`chat.update`."""

    ts: str


class Delete(_Arguments):
    """`chat.delete`."""

    channel: str
    ts: str


class Permalink(_Arguments):
    """`chat.getPermalink`."""

    channel: str
    message_ts: str


class History(_Arguments):
    """`conversations.history`."""

    channel: str
    oldest: str = "0"
    latest: str | None = None
    inclusive: bool = False
    limit: int = Field(default=100, ge=1, le=1000)
    cursor: str = ""
    include_all_metadata: bool = False


class Replies(History):
    """`conversations.replies`."""

    ts: str


class UserInfo(_Arguments):
    """`users.info`."""

    user: str


class UserByEmail(_Arguments):
    """`users.lookupByEmail`."""

    email: str


class OpenModal(_Arguments):
    """`views.open`."""

    trigger_id: str
    view: Nested


class UploadUrl(_Arguments):
    """`files.getUploadURLExternal`."""

    filename: str
    length: int = Field(ge=1)


class Uploaded(BaseModel):
    """One file of `files.completeUploadExternal`."""

    id: str
    title: str | None = None


class CompleteUpload(_Arguments):
    """`files.completeUploadExternal`."""

    files: Annotated[list[Uploaded], BeforeValidator(_nested)]
    channel_id: str | None = None
    initial_comment: str = ""
    thread_ts: str | None = None


async def read_arguments(request: Request) -> Mapping[str, object]:
    """Everything that came with a request.

    Raises:
        SlackProblem: The body is not what its type says.
    """
    given: Json = dict(request.query_params)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    body = await request.body()
    if kind == _JSON:
        return given | _object(body)
    if kind == _FORM:
        try:
            return given | dict(parse_qsl(body.decode(), keep_blank_values=True))
        except ValueError:
            raise SlackProblem("invalid_form_data") from None
    if body:
        raise SlackProblem("invalid_post_type")
    return given


def _object(body: bytes) -> Json:
    try:
        told = json.loads(body or b"{}")
    except (ValueError, RecursionError):
        raise SlackProblem("invalid_json") from None
    if not isinstance(told, dict):
        raise SlackProblem("json_not_object")
    return {name: value for name, value in cast("Json", told).items() if value is not None}
