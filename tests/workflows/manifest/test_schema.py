"""The JSON Schema is one, is in step with the models, and takes what they take; each key has its meaning."""

import json
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from jsonschema import Draft202012Validator

from hitl.policy.raw import RawWhere
from hitl.protocol import PolicyContext
from tests.workflows.manifest.told import SMALL, WHOLE, with_
from workflows.contracts import DestructiveGoalInput
from workflows.estuary.goals import FlowStatusInput
from workflows.manifest.explain import explain_key, find_key, meant_key
from workflows.manifest.keys import keys
from workflows.manifest.needs import CollectionNeed, QdrantNeed, RedisNeed
from workflows.manifest.reading import ManifestError, read_manifest
from workflows.manifest.schema import manifest_schema
from workflows.qdrant.goals import ProvisionQdrantInput, SwitchCollectionInput
from workflows.redis.goals import ProvisionRedisInput

ROOT: Final = Path(__file__).parents[3]
SCHEMA: Final = manifest_schema()
VALIDATOR: Final = Draft202012Validator(SCHEMA)
_OF_EVERY_GOAL: Final = {*DestructiveGoalInput.model_fields}
"""What a manifest does not say: how a goal is asked for, beside what for."""


def test_it_is_a_schema_and_the_published_one() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert json.loads((ROOT / "docs/schemas/banksman.schema.json").read_text(encoding="utf-8")) == SCHEMA


@pytest.mark.parametrize("text", [SMALL, WHOLE], ids=["small", "whole"])
def test_what_the_models_take_it_takes(text: str) -> None:
    assert read_manifest(text.encode()).manifest.version == 1
    assert [one.message for one in VALIDATOR.iter_errors(yaml.safe_load(text))] == []


@pytest.mark.parametrize(
    "more",
    [
        "tests: {command: [make]}",
        "test: {command: make}",
        "test: {command: [make], directory: ../x}",
        "test: {command: [make], limits: {time: '10'}}",
        "test:",
        "pulumi: {stacks: {Prod: live}}",
        "pulumi: {stacks: {}}",
        "verify: {http: [{url: 'http://127.0.0.1/'}]}",
        "verify: {metrics: [{expression: up, holds: much}]}",
        "rollback: {code: rewind}",
        "policy: {actions: [{allow: '*'}]}",
        "policy: {actions: [{deny: Destroy}]}",
        "policy: {approvals: [{action: '*', unverified_requester: allow}]}",
        "policy: {approvals: [{action: '*', break_glass: true}]}",
        "policy: {people: {}}",
        "needs: {redis: [{provider: other, name: aa, most_usd: 0, consumers: []}]}",
    ],
)
def test_what_the_models_refuse_by_its_form_it_refuses(more: str) -> None:
    with pytest.raises(ManifestError):
        read_manifest(with_(more).encode())
    assert list(VALIDATOR.iter_errors(yaml.safe_load(with_(more))))


def _properties(schema: object) -> list[tuple[str, dict[str, Any]]]:
    found: list[tuple[str, dict[str, Any]]] = []
    if isinstance(schema, dict):
        found += [(name, one) for name, one in schema.get("properties", {}).items()]
        for inside in schema.values():
            found += _properties(inside)
    return found


def test_editors_show_what_each_key_is() -> None:
    known = dict(_properties(SCHEMA))
    assert {"command", "for", "schema", "holds", "unverified_requester"} <= set(known)
    without = [
        name for name, one in _properties(SCHEMA) if not one.get("description") and name not in RawWhere.model_fields
    ]
    assert [name for name in without if name not in {"once", "hour", "month", "day", "goal"}] == []
    assert not [name for name, one in _properties(SCHEMA) if "anyOf" in one or one.get("type") == "null"]


def test_each_key_has_a_meaning_and_each_example_is_one() -> None:
    for path, key in keys().items():
        assert key.meaning.endswith("."), path
        assert key.takes, path
    assert keys()["policy.actions[].where.purpose"].meaning == PolicyContext.model_fields["purpose"].description


def _at(path: str, value: Any) -> Any:
    """A document with this value at this path, and with nothing else."""
    for part in reversed(path.split(".")):
        value = {part.removesuffix("[]"): [value] if part.endswith("[]") else value}
    return value


@pytest.mark.parametrize("path", [path for path, key in keys().items() if key.examples])
def test_each_example_is_taken_where_it_stands(path: str) -> None:
    for example in keys()[path].examples:
        place = path.replace("[]", "[0]")
        found = [one for one in VALIDATOR.iter_errors(_at(path, example)) if place in one.json_path.removeprefix("$.")]
        assert [one.message for one in found] == []


@pytest.mark.parametrize(
    ("need", "goal", "own"),
    [
        (RedisNeed, ProvisionRedisInput, {"environments"}),
        (QdrantNeed, ProvisionQdrantInput, {"environments", "collections"}),
    ],
)
def test_needs_are_in_the_words_of_their_goals(need: Any, goal: Any, own: set[str]) -> None:
    assert set(need.model_fields) - own == set(goal.model_fields) - _OF_EVERY_GOAL
    for name in set(need.model_fields) - own:
        assert need.model_fields[name].is_required() == goal.model_fields[name].is_required(), name
        assert need.model_fields[name].get_default() == goal.model_fields[name].get_default(), name


def test_so_are_collections_and_flows() -> None:
    asked = set(SwitchCollectionInput.model_fields) - _OF_EVERY_GOAL
    assert set(CollectionNeed.model_fields) == asked - {"cluster", "snapshot"}
    assert "names" in FlowStatusInput.model_fields


@pytest.mark.parametrize(
    ("asked", "path"),
    [
        ("verify.http[0].every", "verify.http[].every"),
        ("verify.http.every", "verify.http[].every"),
        ("service", "service"),
        ("rollback.schema", "rollback.schema"),
    ],
)
def test_a_key_is_found_with_and_without_brackets(asked: str, path: str) -> None:
    found = find_key(asked)
    assert found is not None
    assert found.path == path
    assert explain_key(found).startswith(f"{path}\n  {found.meaning}\n  takes: ")


def test_a_key_that_is_none_is_not_found_and_the_nearest_is_told() -> None:
    assert find_key("verify.htp") is None
    assert meant_key("verify.htp") == "verify.http"


def test_a_key_tells_what_it_is_when_left_out() -> None:
    told = {path: explain_key(keys()[path]) for path in ("verify.within", "service.name", "test.directory", "rollback")}
    assert "when left out: `15m`" in told["verify.within"]
    assert "when left out: it must be there" in told["service.name"]
    assert "when left out: nothing" in told["test.directory"]
    assert "below it: code, infrastructure, schema, down" in told["rollback"]
