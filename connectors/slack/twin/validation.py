"""Reads blocks, views and metadata that an app sends, and refuses them in Slack's words."""

import json
from collections.abc import Mapping, Sequence
from typing import Final, cast

from pydantic import BaseModel, ConfigDict, Field, JsonValue, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from connectors.slack.twin.blocks import MessageBlock, View
from connectors.slack.twin.problems import Json, SlackProblem

_MAX_BLOCKS: Final = 50
_BLOCKS: Final[TypeAdapter[list[MessageBlock]]] = TypeAdapter(list[MessageBlock])


class Metadata(BaseModel):
    """What an app hangs on a message for itself."""

    model_config = ConfigDict(extra="forbid")

    event_type: str = Field(min_length=1, max_length=255)
    event_payload: dict[str, JsonValue] = Field(default_factory=dict)


def read_blocks(given: object, *, characters: int) -> list[MessageBlock]:
    """The blocks of a message.

    Raises:
        SlackProblem: `invalid_blocks_format`, `invalid_blocks` or `msg_blocks_too_long`.
    """
    if not isinstance(given, list):
        raise SlackProblem("invalid_blocks_format")
    listed = cast("list[object]", given)
    if len(listed) > _MAX_BLOCKS:
        raise SlackProblem("invalid_blocks", [f"no more than {_MAX_BLOCKS} items allowed [json-pointer:/blocks]"])
    try:
        blocks = _BLOCKS.validate_python(listed)
    except ValidationError as error:
        raise SlackProblem("invalid_blocks", _told(error, listed, "/blocks")) from None
    _refuse_repeated([block.block_id for block in blocks])
    if len(json.dumps(listed, ensure_ascii=False, separators=(",", ":"))) > characters:
        raise SlackProblem("msg_blocks_too_long")
    return blocks


def read_view(given: object) -> View:
    """A modal.

    Raises:
        SlackProblem: `invalid_arguments`, with what is wrong.
    """
    try:
        view = View.model_validate(given)
    except ValidationError as error:
        raise SlackProblem("invalid_arguments", _told(error, given, "/view")) from None
    _refuse_repeated([block.block_id for block in view.blocks])
    return view


def read_metadata(given: object) -> Metadata:
    """A message's metadata.

    Raises:
        SlackProblem: `invalid_metadata_format`.
    """
    try:
        return Metadata.model_validate(given)
    except ValidationError as error:
        raise SlackProblem("invalid_metadata_format", _told(error, given, "/metadata")) from None


def dumped(blocks: Sequence[BaseModel]) -> list[Json]:
    """Blocks as Slack answers them."""
    return [cast("Json", block.model_dump(exclude_none=True)) for block in blocks]


def _refuse_repeated(ids: list[str]) -> None:
    twice = sorted({one for one in ids if ids.count(one) > 1})
    if twice:
        raise SlackProblem("invalid_blocks", [f"`block_id` {one!r} already exists" for one in twice])


def _told(error: ValidationError, given: object, root: str) -> list[str]:
    return [
        f"{_words(one)} [json-pointer:{_pointer(one, given, root)}]"
        for one in error.errors(include_url=False, include_input=False)
    ]


def _pointer(error: ErrorDetails, given: object, root: str) -> str:
    """Where the error is; the names that pydantic adds for the kind of a part are left out."""
    at, path = given, root
    parts = error["loc"][:-1] if error["type"] == "extra_forbidden" else error["loc"]
    for part in parts:
        if isinstance(at, list) and isinstance(part, int):
            at = cast("list[object]", at)[part]
        elif isinstance(at, dict) and part in at:
            at = cast("dict[object, object]", at)[part]
        else:
            continue
        path += f"/{part}"
    return path


def _words(error: ErrorDetails) -> str:
    context: Mapping[str, object] = error.get("ctx", {})
    last, most, least = error["loc"][-1] if error["loc"] else "", context.get("max_length"), context.get("min_length")
    known = {
        "missing": f"missing required field: {last}",
        "extra_forbidden": f"invalid additional property: {last}",
        "string_too_short": "must be more than 0 characters",
        "string_too_long": f"must be less than {_next(most)} characters",
        "too_long": f"no more than {most} items allowed",
        "too_short": f"no fewer than {least} items allowed",
        "union_tag_invalid": f"unsupported type: {context.get('tag')}",
        "union_tag_not_found": "missing required field: type",
        "slack": error["msg"],
    }
    return known.get(error["type"], f"invalid value: {error['msg']}")


def _next(most: object) -> int:
    return most + 1 if isinstance(most, int) else 0
