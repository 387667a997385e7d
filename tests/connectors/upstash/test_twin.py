"""Upstash's twin against the provider's own description, where that is at hand."""

from pathlib import Path
from typing import Any, Final, cast

import pytest
import yaml
from openapi_schema_validator import OAS30Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT4

from tests.connectors.serving import ServedTwin
from tests.connectors.upstash.conftest import EMAIL, KEY_CANARY

_FILE: Final = Path(__file__).parents[4] / "shared" / "api-specs" / "upstash.yaml"
_NAME: Final = "urn:upstash"


@pytest.fixture(scope="module")
def description() -> dict[str, Any]:
    if not _FILE.exists():
        pytest.skip("Upstash's published description is not at hand")
    return cast("dict[str, Any]", yaml.safe_load(_FILE.read_text(encoding="utf-8")))


def violations(description: dict[str, Any], pointer: str, answer: object) -> list[str]:
    registry: Registry[Any] = Registry().with_resource(_NAME, Resource(contents=description, specification=DRAFT4))
    validator = OAS30Validator({"$ref": f"{_NAME}#/components/schemas/{pointer}"}, registry=registry)
    return [error.message for error in validator.iter_errors(answer)]


def test_each_answer_is_one_of_the_description(twin: ServedTwin, description: dict[str, Any]) -> None:
    auth = (EMAIL, KEY_CANARY)
    for database in twin.http.get("/redis/databases", auth=auth).json():
        assert violations(description, "Database", database) == []
    one = twin.http.get("/redis/database/id-1", params={"credentials": "hide"}, auth=auth).json()
    assert violations(description, "Database", one) == []
    known = description["components"]["schemas"]["Database"]["properties"]
    assert one.keys() <= known.keys()
    for problem in (twin.http.get("/redis/databases"), twin.http.get("/redis/database/none", auth=auth)):
        assert violations(description, "Error", problem.json()) == []


def test_what_is_asked_is_in_the_description(description: dict[str, Any]) -> None:
    assert "get" in description["paths"]["/redis/databases"]
    parameters = description["paths"]["/redis/database/{id}"]["get"]["parameters"]
    assert "credentials" in {one["name"] for one in parameters}


def test_what_the_twin_does_not_know_it_says(twin: ServedTwin) -> None:
    answer = twin.http.delete("/redis/database/id-1", auth=(EMAIL, KEY_CANARY))
    assert answer.status_code == 501
    answer = twin.http.post("/redis/database", json={}, auth=(EMAIL, KEY_CANARY))
    assert (answer.status_code, answer.json()["code"]) == (501, "501")
