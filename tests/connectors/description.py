"""A provider's published description, as a judge of exchanges. It is read where it lies, and never copied in.

OpenAPI 3.0 and 3.1, and Swagger 2.0, which is rewritten to the former.
"""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final, cast
from urllib.parse import parse_qsl, unquote

import httpx
import pytest
import yaml
from openapi_schema_validator import OAS30ReadValidator, OAS30WriteValidator, OAS31Validator
from referencing import Resource, Specification
from referencing.jsonschema import DRAFT4, DRAFT202012, EMPTY_REGISTRY, Schema

FOLDER: Final = Path(__file__).parents[3] / "shared" / "api-specs"
_NAME: Final = "urn:published"
# What documentation says of every path; descriptions name few of these per path.
_EVERYWHERE: Final = frozenset({400, 401, 403, 404, 409, 422, 423, 429, 500, 503})
_METHODS: Final = ("get", "put", "post", "delete", "patch", "head")

Json = dict[str, Any]


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
    connection: tuple[str, int] = ("", 0)


class Description:
    """A description, ready to judge.

    Args:
        document: The description itself; it is changed.
        prefix: What its paths have before those that the client asks for.
        error: The name of the schema of refusals, for those that no operation describes.
        wide: Parameters of a path that may hold slashes.
    """

    def __init__(
        self, document: Json, *, prefix: str = "", error: str = "", wide: frozenset[str] = frozenset()
    ) -> None:
        if "swagger" in document:
            _modernise(document)
        _allow_null(document)
        new = str(document["openapi"]).startswith("3.1")
        self._readers = (OAS31Validator, OAS31Validator) if new else (OAS30WriteValidator, OAS30ReadValidator)
        self.document, self._prefix, self._error = document, prefix, error
        written = cast("Specification[Schema]", DRAFT202012 if new else DRAFT4)
        self._registry = EMPTY_REGISTRY.with_resource(_NAME, Resource(contents=document, specification=written))
        self._paths = {
            name: _pattern(name, wide) for name in sorted(document["paths"], key=lambda one: _generality(one, wide))
        }

    def template(self, method: str, path: str) -> str | None:
        """The path of the description that this one is an instance of, or None where it has no such operation."""
        # Two paths of a description may differ in the names of their parameters alone, each with other methods.
        found = (name for name, form in self._paths.items() if form.fullmatch(self._prefix + path))
        return next((name for name in found if method.lower() in self.document["paths"][name]), None)

    def problems(self, exchange: Exchange) -> list[str]:
        """All in which this exchange departs from the description."""
        return [*self.request_problems(exchange), *self.response_problems(exchange)]

    def request_problems(self, exchange: Exchange) -> list[str]:
        """All in which its request does."""
        name = f"{exchange.method} {exchange.path}"
        template = self.template(exchange.method, exchange.path)
        if template is None:
            return [f"{name} is not described"]
        place = ["paths", template, exchange.method.lower()]
        return [*self._parameter_problems(exchange, template), *self._sent_problems(exchange, place, name)]

    def response_problems(self, exchange: Exchange) -> list[str]:
        """All in which its answer does."""
        name = f"{exchange.method} {exchange.path} → {exchange.status}"
        template = self.template(exchange.method, exchange.path)
        if template is None:
            return []
        where = self._answer_place(["paths", template, exchange.method.lower(), "responses"], exchange.status)
        described = self._at(*where) if where else None
        if described is None and exchange.status not in _EVERYWHERE:
            return [f"{name}: this status is not described"]
        content = described.get("content", {}) if described else {}
        if not exchange.body:
            return [f"{name}: a body is described"] if content else []
        media = exchange.content_type.partition(";")[0]
        if media not in content and exchange.status < httpx.codes.BAD_REQUEST:
            return [f"{name}: {media} is not described"]
        if media != "application/json":
            return []
        error = ["components", "schemas", self._error] if self._error else None
        schema = [*where, "content", media, "schema"] if where and media in content else error
        return self._violations(schema, exchange.body, name, sent=False) if schema else []

    def trimmed(self, operations: list[tuple[str, str]]) -> Json:
        """The description of these operations alone, by method and path, with the paths that the client asks for.

        Raises:
            KeyError: One of them is not described.
        """
        kept: dict[str, Json] = {}
        for method, path in operations:
            if (template := self.template(method, path)) is None:
                raise KeyError(f"{method} {path} is not described")
            whole = self.document["paths"][template]
            mine = kept.setdefault(template.removeprefix(self._prefix), {})
            mine["parameters"] = whole.get("parameters", [])
            mine[method.lower()] = whole[method.lower()]
        return {**self.document, "paths": kept}

    def _answer_place(self, place: list[str], status: int) -> list[str] | None:
        found = (one for one in (str(status), f"{status // 100}XX", "default") if self._at(*place, one) is not None)
        key = next(found, None)
        return [*place, key] if key is not None else None

    def _parameter_problems(self, exchange: Exchange, template: str) -> Iterator[str]:
        path_item = self.document["paths"][template]
        declared = [*path_item.get("parameters", []), *path_item[exchange.method.lower()].get("parameters", [])]
        parameters = {(one["in"], one["name"]): one for one in map(self._followed, declared)}
        queried = [(("query", name), value) for name, value in parse_qsl(exchange.query, keep_blank_values=True)]
        matched = self._paths[template].fullmatch(self._prefix + exchange.path)
        names = re.findall(r"\{([^}]+)\}", template)
        values = matched.groups() if matched else ()
        in_path = [(("path", name), unquote(value)) for name, value in zip(names, values, strict=True)]
        for key, value in [*queried, *in_path]:
            if key in parameters:
                schema: Json = parameters[key].get("schema", {})
                yield from (f"{exchange.path}: {key[1]}: {one}" for one in self._value_problems(schema, value))
            elif key[0] == "query":
                yield f"{exchange.path}: query {key[1]!r} is not described"
        given = {key for key, _ in queried}
        for key, one in parameters.items():
            if key[0] == "query" and one.get("required") and key not in given:
                yield f"{exchange.path}: query {key[1]!r} is missing"

    def _value_problems(self, schema: Json, value: str) -> list[str]:
        kind = self._followed(schema).get("type")
        if kind == "array":
            return []
        return [one.message[:300] for one in self._validator(schema, sent=True).iter_errors(_coerced(value, kind))]

    def _sent_problems(self, exchange: Exchange, place: list[str], name: str) -> list[str]:
        described = self._at(*place, "requestBody")
        if not exchange.request_body:
            refused = 400 <= exchange.status < 500  # as it should be, and a test may have left it out for that
            return [f"{name}: a body is required"] if described and described.get("required") and not refused else []
        if described is None:
            return [f"{name}: no body is described"]
        where = [*place, "requestBody", "content", "application/json", "schema"]
        return self._violations(where, exchange.request_body, name, sent=True)

    def _violations(self, where: list[str], body: bytes, name: str, *, sent: bool) -> list[str]:
        place = self._place(where)
        pointer = "/".join(part.replace("~", "~0").replace("/", "~1").replace("{", "%7B") for part in place)
        validator = self._validator({"$ref": f"{_NAME}#/{pointer}"}, sent=sent)
        return [
            f"{name}: {error.json_path}: {error.message[:300]}" for error in validator.iter_errors(json.loads(body))
        ]

    def _validator(self, schema: Json, *, sent: bool) -> Any:
        if str(schema.get("$ref", "")).startswith("#"):
            schema = {"$ref": f"{_NAME}{schema['$ref']}"}
        return self._readers[0 if sent else 1](schema, registry=self._registry)

    def _at(self, *where: str) -> Json | None:
        node = self.document
        for part in where:
            found = node.get(part)
            if found is None:
                return None
            node = self._followed(found)
        return node

    def _place(self, where: list[str]) -> list[str]:
        """The same place without references on the way to it."""
        node, place = self.document, list[str]()
        for part in where:
            node, place = node[part], [*place, part]
            while "$ref" in node:
                place = [one.replace("~1", "/").replace("~0", "~") for one in str(node["$ref"]).split("/")[1:]]
                node = self._followed(node)
        return place

    def _followed(self, node: Json) -> Json:
        while "$ref" in node:
            target = self.document
            for part in str(node["$ref"]).split("/")[1:]:
                target = target[part.replace("~1", "/").replace("~0", "~")]
            node = target
        return node


@dataclass(frozen=True, eq=False)
class Published:
    """Where a provider's description lies, and how it is read.

    Attributes:
        file: Its name.
        prefix: What its paths have before those that the client asks for.
        error: The name of the schema of refusals.
        wide: Parameters of a path that may hold slashes.
        correct: Mends what no answer could ever satisfy.
        kept: Where it lies else: what `make prepare` gets.
    """

    file: str
    prefix: str = ""
    error: str = ""
    wide: frozenset[str] = frozenset()
    correct: Callable[[Json], None] = field(default=lambda _: None)
    kept: Path | None = None

    @property
    def path(self) -> Path:
        """The file."""
        given = FOLDER / self.file
        return given if self.kept is None or given.exists() else self.kept

    @property
    def required(self) -> pytest.MarkDecorator:
        """Skips a test where it is not there."""
        return pytest.mark.skipif(not self.path.exists(), reason=f"{self.file}: published description is not at hand")

    @cached_property
    def description(self) -> Description | None:
        """The description, read once; None where it is not there."""
        if not self.path.exists():
            return None
        text = self.path.read_text(encoding="utf-8")
        # YAML has numbers for names and dates for texts, where the description means JSON.
        loaded = yaml.load(text, yaml.CSafeLoader) if self.path.suffix == ".yaml" else json.loads(text)
        document: Json = json.loads(json.dumps(loaded, default=str))
        self.correct(document)
        return Description(document, prefix=self.prefix, error=self.error, wide=self.wide)


def _coerced(value: str, kind: object) -> object:
    """A text from a path or a query, as its type says."""
    if kind in {"integer", "number"} and re.fullmatch(r"-?\d+(\.\d+)?", value):
        return float(value) if "." in value else int(value)
    return {"true": True, "false": False}.get(value, value) if kind == "boolean" else value


def _modernise(document: Json) -> None:
    """Swagger 2.0 as OpenAPI 3.0, as far as it is read here; its schemas stay where they are."""
    document["openapi"] = "3.0.3"
    del document["swagger"]
    for item in document["paths"].values():
        for operation in (item[method] for method in _METHODS if method in item):
            for one in operation.get("parameters", []):
                if one["in"] == "body":
                    content = {"application/json": {"schema": one["schema"]}}
                    operation["requestBody"] = {"required": one.get("required", False), "content": content}
                elif "schema" not in one:
                    one["schema"] = {name: one[name] for name in ("type", "enum", "format", "items") if name in one}
            operation["parameters"] = [one for one in operation.get("parameters", []) if one["in"] != "body"]
            for response in operation["responses"].values():
                if "schema" in response:
                    response["content"] = {"application/json": {"schema": response.pop("schema")}}


def _allow_null(node: object) -> None:
    """`nullable` beside alternatives is one more alternative; the validator knows it beside `type` only."""
    if isinstance(node, dict):
        schema = cast("Json", node)
        if schema.get("x-nullable") is True:
            schema["nullable"] = True
        for word in ("oneOf", "anyOf"):
            if schema.get("nullable") is True and "type" not in schema and isinstance(schema.get(word), list):
                schema[word].append({"nullable": True, "enum": [None]})
        for value in schema.values():
            _allow_null(value)
    elif isinstance(node, list):
        for value in cast("list[object]", node):
            _allow_null(value)


def _pattern(template: str, wide: frozenset[str]) -> re.Pattern[str]:
    parts = re.split(r"\{([^}]+)\}", template)
    forms = [re.escape(part) if index % 2 == 0 else _wild(part, wide) for index, part in enumerate(parts)]
    return re.compile("".join(forms), re.DOTALL)  # a file's name may have a line break


def _wild(name: str, wide: frozenset[str]) -> str:
    return "(.+)" if name in wide else "([^/]+)"


def _generality(template: str, wide: frozenset[str]) -> tuple[bool, int, int, str]:
    # Of two that are as general, the longer says more: a ref that swallows a slash is no match for it.
    return any(f"{{{one}}}" in template for one in wide), template.count("{"), -len(template), template
