"""The judge itself: a judge that finds nothing wrong proves nothing."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from connectors.http.api import AGENT
from tests.connectors.description import Description, Exchange, Json, Published
from tests.connectors.judged import fuzz, judged_twin
from tests.connectors.twins.boxes import KEY_CANARY, create_twin

HEADERS = {"authorization": f"Bearer {KEY_CANARY}"}
BOX: Json = {
    "type": "object",
    "required": ["id", "label"],
    "properties": {
        "id": {"type": "string"},
        "label": {"type": "string"},
        "size": {"type": "integer", "nullable": True},
    },
}
ID: Json = {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
LIMIT: Json = {"name": "limit", "in": "query", "schema": {"type": "integer", "minimum": 1}}


def answers(schema: Json) -> Json:
    return {"description": "", "content": {"application/json": {"schema": schema}}}


def document() -> Json:
    new: Json = {"type": "object", "required": ["label"], "properties": {"label": {"type": "string", "minLength": 1}}}
    listed = {"type": "object", "required": ["boxes"], "properties": {"boxes": {"type": "array"}}}
    paths: Json = {
        "/v1/boxes": {
            "get": {"parameters": [LIMIT], "responses": {"200": answers(listed)}},
            "post": {
                "requestBody": {"required": True, "content": {"application/json": {"schema": new}}},
                "responses": {"201": answers({"$ref": "#/components/schemas/Box"})},
            },
        },
        "/v1/boxes/{id}": {
            "parameters": [ID],
            "get": {"responses": {"200": answers({"$ref": "#/components/schemas/Box"})}},
            "delete": {"responses": {"204": {"description": ""}}},
        },
        "/v1/boxes/largest": {"get": {"responses": {"200": answers({"$ref": "#/components/schemas/Box"})}}},
        "/v1/broken": {"get": {"responses": {"200": answers({"type": "object"})}}},
        "/v1/who": {"get": {"responses": {"200": answers({"type": "object"})}}},
    }
    error: Json = {"type": "object", "required": ["error"]}
    return {
        "openapi": "3.0.3",
        "info": {"title": "Boxes", "version": "1"},
        "paths": paths,
        "components": {"schemas": {"Box": BOX, "Error": error}},
    }


def swagger() -> Json:
    body = {"in": "body", "name": "body", "required": True, "schema": {"$ref": "#/definitions/New"}}
    new = {"type": "object", "required": ["label"], "properties": {"label": {"type": "string", "x-nullable": True}}}
    limit = {"name": "limit", "in": "query", "type": "integer"}
    made = {"description": "", "schema": {"$ref": "#/definitions/New"}}
    paths = {"/v1/boxes": {"post": {"parameters": [body, limit], "responses": {"default": made}}}}
    return {"swagger": "2.0", "paths": paths, "definitions": {"New": new}}


def exchange(**changes: Any) -> Exchange:
    good: dict[str, Any] = {
        "method": "POST",
        "path": "/boxes",
        "query": "",
        "request_body": b'{"label": "a"}',
        "status": 201,
        "content_type": "application/json",
        "body": b'{"id": "1", "label": "a", "size": null}',
    }
    return Exchange(**{**good, **changes})


GET: Json = {"method": "GET", "request_body": b"", "status": 200, "body": b'{"boxes": []}'}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, None),
        ({"path": "/crates"}, "is not described"),
        ({"method": "PUT"}, "is not described"),
        ({"request_body": b""}, "a body is required"),
        ({"request_body": b'{"label": ""}'}, "$.label"),
        ({"body": b'{"id": "1"}'}, "'label' is a required property"),
        ({"body": b""}, "a body is described"),
        ({"status": 202}, "status is not described"),
        ({"content_type": "text/html"}, "text/html is not described"),
        ({"status": 409, "body": b'{"error": {}}'}, None),
        ({"status": 409, "body": b"{}"}, "'error' is a required property"),
        (GET, None),
        ({**GET, "query": "limit=5"}, None),
        ({**GET, "query": "limit=0"}, "limit: 0 is less than the minimum"),
        ({**GET, "query": "limit=many"}, "limit: 'many' is not of type"),
        ({**GET, "query": "colour=red"}, "query 'colour' is not described"),
        ({**GET, "request_body": b"{}"}, "no body is described"),
        ({**GET, "method": "DELETE", "path": "/boxes/1", "status": 204, "body": b""}, None),
    ],
)
def test_each_departure_is_found(changes: Json, said: str | None) -> None:
    found = Description(document(), prefix="/v1", error="Error").problems(exchange(**changes))
    assert (found == []) if said is None else any(said in one for one in found), found


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, None),
        ({"request_body": b"{}"}, "'label' is a required property"),
        ({"request_body": b'{"label": null}'}, None),
        ({"status": 500, "body": b'{"label": 1}'}, "1 is not of type"),
        ({"query": "limit=x"}, "limit: 'x' is not of type"),
    ],
)
def test_swagger_2_is_read_as_well(changes: Json, said: str | None) -> None:
    found = Description(swagger(), prefix="/v1").problems(exchange(**changes))
    assert (found == []) if said is None else any(said in one for one in found), found


def test_what_is_new_in_3_1_is_known() -> None:
    written = document()
    written["openapi"] = "3.1.0"
    written["components"]["schemas"]["Box"]["properties"] = {"size": {"type": ["integer", "null"]}}
    assert Description(written, prefix="/v1").problems(exchange()) == []
    wrong = exchange(body=b'{"id": "1", "label": "a", "size": "x"}')
    assert Description(written, prefix="/v1").problems(wrong) != []


def published(folder: Path, change: Callable[[Json], object] = lambda _: None) -> Published:
    written = document()
    change(written)
    path = folder / "boxes.json"
    path.write_text(json.dumps(written), encoding="utf-8")
    return Published(str(path), prefix="/v1", error="Error")


def test_a_twin_that_keeps_to_its_description_passes(tmp_path: Path) -> None:
    with judged_twin(create_twin(), published(tmp_path)) as twin:
        assert twin.http.post("/boxes", json={"label": "a"}, headers=HEADERS).status_code == 201
        assert twin.http.get("/boxes/none", headers=HEADERS).status_code == 404
        assert twin.http.put("/boxes", headers=HEADERS).status_code == 501
        assert twin.http.post("/boxes", json={}, headers=HEADERS).status_code == 422
        twin.plant(kind="garbage")
        twin.http.get("/boxes", headers=HEADERS)


def test_an_answer_that_departs_fails_the_test_at_its_end(tmp_path: Path) -> None:
    wrong = published(tmp_path, lambda one: one["components"]["schemas"]["Box"]["required"].append("owner"))
    with (
        pytest.raises(AssertionError, match="'owner' is a required property"),
        judged_twin(create_twin(), wrong) as twin,
    ):
        twin.http.post("/boxes", json={"label": "a"}, headers=HEADERS)


@pytest.mark.parametrize("fault", [None, {"kind": "status", "status": 500}, {"kind": "drop"}])
def test_what_our_client_sends_is_judged_whatever_becomes_of_it(
    tmp_path: Path, fault: dict[str, object] | None
) -> None:
    def send() -> None:
        with judged_twin(create_twin(), published(tmp_path)) as twin:
            if fault is not None:
                twin.plant(**fault)
            try:
                twin.http.get("/boxes?colour=red", headers={**HEADERS, "user-agent": AGENT})
            except httpx.RemoteProtocolError:
                assert fault == {"kind": "drop"}

    with pytest.raises(AssertionError, match="'colour' is not described"):
        send()


def test_a_description_that_is_not_there_judges_nothing_and_skips_what_needs_it() -> None:
    absent = Published("absent.json")
    assert absent.description is None
    assert absent.required.args == (True,)
    assert "published description is not at hand" in absent.required.kwargs["reason"]
    with judged_twin(create_twin(), absent) as twin:
        assert twin.http.get("/boxes", headers=HEADERS).status_code == 200


@pytest.mark.timeout(300)
def test_a_twin_that_breaks_is_found_by_what_its_description_allows(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="/broken"):
        fuzz(create_twin(), published(tmp_path), headers=HEADERS, examples=3)
