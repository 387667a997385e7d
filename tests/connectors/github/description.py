"""GitHub's published description of its REST API, as a judge of exchanges. Read where it lies, never copied in."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import cast
from urllib.parse import parse_qsl

from openapi_schema_validator import OAS30Validator
from referencing import Resource, Specification
from referencing.jsonschema import DRAFT4, EMPTY_REGISTRY, Schema

FILE = Path(__file__).parents[4] / "shared" / "api-specs" / "github-rest.json"
_NAME = "urn:github-rest"
# What GitHub's documentation says of every path; the description names few of these per path.
_EVERYWHERE = frozenset({400, 401, 403, 404, 422, 429, 500})

Json = dict[str, object]


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """One request and its answer, as they passed the twin's door."""

    method: str
    path: str
    query: str
    request_body: bytes
    status: int
    content_type: str
    body: bytes
    connection: tuple[str, int]


class Description:
    """The description, ready to judge."""

    def __init__(self, document: Json) -> None:
        _correct(document)
        self._document = document
        resource: Resource[Schema] = Resource(contents=document, specification=cast("Specification[Schema]", DRAFT4))
        self._registry = EMPTY_REGISTRY.with_resource(_NAME, resource)
        paths = cast("Mapping[str, Json]", document["paths"])
        self._paths = {template: _pattern(template) for template in sorted(paths, key=_generality)}

    def problems(self, exchange: Exchange) -> list[str]:
        """All in which this exchange departs from the description."""
        template = next((name for name, form in self._paths.items() if form.fullmatch(exchange.path)), None)
        operation = self._at("paths", template or "", exchange.method.lower())
        if template is None or operation is None:
            return [f"{exchange.method} {exchange.path} is not described"]
        place = ["paths", template, exchange.method.lower()]
        return [
            *self._query_problems(exchange, operation),
            *self._request_problems(exchange, place),
            *self._response_problems(exchange, place),
        ]

    def _query_problems(self, exchange: Exchange, operation: Json) -> list[str]:
        parameters = (self._followed(one) for one in cast("list[Json]", operation.get("parameters", [])))
        known = {one["name"] for one in parameters if one["in"] == "query"}
        given = {name for name, _ in parse_qsl(exchange.query, keep_blank_values=True)}
        return [f"{exchange.path}: query {name!r} is not described" for name in given - known]

    def _request_problems(self, exchange: Exchange, place: list[str]) -> list[str]:
        if not exchange.request_body:
            return []
        where = [*place, "requestBody", "content", "application/json", "schema"]
        return self._violations(where, exchange.request_body, f"{exchange.method} {exchange.path}")

    def _response_problems(self, exchange: Exchange, place: list[str]) -> list[str]:
        name = f"{exchange.method} {exchange.path} → {exchange.status}"
        described = self._at(*place, "responses", str(exchange.status))
        if described is None and exchange.status not in _EVERYWHERE:
            return [f"{name}: this status is not described"]
        if not exchange.body:
            return [f"{name}: a body is described"] if described and "content" in described else []
        media = exchange.content_type.partition(";")[0]
        if media != "application/json":
            return [] if described and self._at(*place, "responses", str(exchange.status), "content", media) else [name]
        if described is None or exchange.status >= 400:
            return self._violations(["components", "schemas", "basic-error"], exchange.body, name)
        where = [*place, "responses", str(exchange.status), "content", media, "schema"]
        return self._violations(where, exchange.body, name)

    def _violations(self, where: list[str], body: bytes, name: str) -> list[str]:
        pointer = "/".join(part.replace("~", "~0").replace("/", "~1").replace("{", "%7B") for part in where)
        validator = OAS30Validator({"$ref": f"{_NAME}#/{pointer}"}, registry=self._registry)
        return [
            f"{name}: {error.json_path}: {error.message[:300]}" for error in validator.iter_errors(json.loads(body))
        ]

    def _at(self, *where: str) -> Json | None:
        node = self._document
        for part in where:
            found = node.get(part)
            if found is None:
                return None
            node = self._followed(cast("Json", found))
        return node

    def _followed(self, node: Json) -> Json:
        while "$ref" in node:
            target = self._document
            for part in str(node["$ref"]).split("/")[1:]:
                target = cast("Json", target[part])
            node = target
        return node


@cache
def description() -> Description | None:
    """The description, or None where it is not at hand."""
    return Description(cast("Json", json.loads(FILE.read_bytes()))) if FILE.exists() else None


def _correct(document: Json) -> None:
    """What no answer could ever satisfy: mistakes of the description, not of what is judged by it."""
    paths = cast("dict[str, dict[str, Json]]", document["paths"])
    # An account there must be a person and an enterprise at once; everywhere else it is one of the two.
    _schema_of(paths["/app/installations"])["items"] = {"$ref": "#/components/schemas/installation"}
    # Files, folders and links are told apart by a field that a folder's list cannot have.
    _schema_of(paths["/repos/{owner}/{repo}/contents/{path}"]).pop("discriminator")
    _allow_null(document)


def _schema_of(path: dict[str, Json]) -> Json:
    node = path["get"]
    for part in ("responses", "200", "content", "application/json", "schema"):
        node = cast("Json", node[part])
    return node


def _allow_null(node: object) -> None:
    """`nullable` beside alternatives is one more alternative; the validator knows it beside `type` only."""
    if isinstance(node, dict):
        schema = cast("Json", node)
        for word in ("oneOf", "anyOf"):
            if schema.get("nullable") is True and "type" not in schema and word in schema:
                cast("list[object]", schema[word]).append({"nullable": True, "enum": [None]})
        for value in schema.values():
            _allow_null(value)
    elif isinstance(node, list):
        for value in cast("list[object]", node):
            _allow_null(value)


def _pattern(template: str) -> re.Pattern[str]:
    # A path in a repository and a ref may have slashes, where GitHub's description has one name.
    parts = re.split(r"(\{\w+\})", template)
    wide = {"{path}", "{ref}"}
    wild = ((".+" if p in wide else "[^/]+") if p.startswith("{") else re.escape(p) for p in parts)
    return re.compile("".join(wild), re.DOTALL)  # a file's name may have a line break


def _generality(template: str) -> tuple[bool, int, int, str]:
    # Of two that are as general, the longer says more: a ref that swallows a slash is no match for it.
    return "{path}" in template or "{ref}" in template, template.count("{"), -len(template), template
