"""The GraphQL of Estuary's twin: its client's own queries, answered with the fields that they ask for and no others."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final, cast

from pydantic import JsonValue

from connectors.estuary.models import LiveSpecsVariables
from connectors.estuary.operations import QUERIES
from connectors.estuary.twin.state import Catalog, Live


class Selection(dict[str, "Selection"]):
    """Fields that are asked for, with what is asked of each."""


_TOKEN: Final = re.compile(r"\w+|[{}]")


def moment(seconds: float) -> str:
    """A time as both surfaces write it."""
    return datetime.fromtimestamp(seconds, UTC).isoformat()


def answer(catalog: Catalog, query: str, variables: LiveSpecsVariables, *, prefix: str) -> dict[str, JsonValue]:
    """The answer to one query.

    Args:
        catalog: What there is.
        query: Its text; what the client does not send is refused.
        variables: Of it.
        prefix: What the account may look at.
    """
    if query not in QUERIES:
        return {"data": None, "errors": [{"message": "this twin knows the queries of its client alone"}]}
    by = variables.by
    if (by.names is None) is (by.prefix is None):
        return {"data": None, "errors": [{"message": "exactly one of `names` and `prefix` must be given"}]}
    if by.names is not None:
        names = sorted(set(by.names))
    else:
        names = sorted(one for one in catalog.live if one.startswith(by.prefix or "") and one.startswith(prefix))
    left = [one for one in names if variables.after is None or one > variables.after]
    page = left[: variables.first]
    edges: list[JsonValue] = [{"node": _node(one, catalog.live.get(one), prefix)} for one in page]
    info: dict[str, JsonValue] = {"hasNextPage": len(left) > len(page), "endCursor": page[-1] if page else None}
    whole: JsonValue = {"liveSpecs": {"edges": edges, "pageInfo": info}}
    return {"data": _cut(whole, _selection(query))}


def _node(name: str, live: Live | None, prefix: str) -> JsonValue:
    if not name.startswith(prefix):
        return dict.fromkeys(("catalogName", "userCapability", "liveSpec", "status", "activeAlerts")) | {
            "catalogName": name
        }
    node: dict[str, JsonValue] = {"catalogName": name, "userCapability": "admin", "activeAlerts": []}
    return node | {"liveSpec": _spec(live) if live else None, "status": _status(live) if live else None}


def _spec(live: Live) -> JsonValue:
    return {
        "catalogType": live.type,
        "lastPubId": live.pub_id.replace(":", ""),
        "lastBuildId": live.pub_id.replace(":", ""),
        "isDisabled": False,
        "updatedAt": moment(live.at),
        "model": live.model,
    }


def _status(live: Live) -> JsonValue:
    runs = live.activated == live.pub_id
    activation: JsonValue = {
        "lastActivated": (live.activated or "0" * 16).replace(":", ""),
        "recentFailureCount": 0,
        "nextRetry": None,
        "lastFailure": None,
        "shardStatus": {"status": "OK" if runs else "PENDING"},
    }
    history: list[JsonValue] = [
        {
            "id": str(one["id"]).replace(":", ""),
            "completed": moment(live.at),
            "detail": one["detail"],
            "isTouch": False,
            "result": {"type": "success"},
            "errors": [],
        }
        for one in live.history
    ]
    return {
        "type": "OK" if runs else "WARNING",
        "summary": "Ok" if runs else "waiting for the data plane to activate it",
        "controller": {
            "error": None,
            "failures": 0,
            "activation": activation,
            "publications": {"history": history},
        },
        "connector": None,
    }


def _selection(query: str) -> Selection:
    """The fields that a query asks for, by where they stand in it."""
    body = query[query.index("liveSpecs(") :]
    tokens = iter(["{", "liveSpecs", *_TOKEN.findall(body[body.index(")") + 1 :])])
    next(tokens)
    return _fields(tokens)


def _fields(tokens: Iterator[str]) -> Selection:
    found, last = Selection(), ""
    for one in tokens:
        if one == "}":
            break
        if one == "{":
            found[last] = _fields(tokens)
        else:
            last = one
            found[last] = Selection()
    return found


def _cut(value: JsonValue, wanted: Selection) -> JsonValue:
    if isinstance(value, list):
        return [_cut(one, wanted) for one in value]
    if isinstance(value, dict) and wanted:
        return {name: _cut(cast("dict[str, JsonValue]", value)[name], inner) for name, inner in wanted.items()}
    return value
