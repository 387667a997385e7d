"""Neon's twin against the provider's own description, and the rules of its API."""

from pathlib import Path
from typing import Any

import pytest

from connectors.http import Operation
from connectors.neon import operations
from connectors.neon.twin import operations as further
from connectors.neon.twin.app import create_twin
from connectors.twins.problems import bearer
from tests.connectors.judged import fuzz
from tests.connectors.neon.at_neon import KEY_CANARY, MAIN, OLD_IDEA, PASSWORD_CANARY, PROJECT, AtNeon, config
from tests.connectors.neon.published import NEON

AUTH = {"Authorization": bearer(KEY_CANARY)}


@pytest.mark.timeout(600)
@NEON.required
def test_whatever_the_description_allows_is_answered_as_it_says(tmp_path: Path) -> None:
    assert fuzz(create_twin(config(tmp_path)), NEON, headers=AUTH, examples=3) >= 100
    assert not (tmp_path / "clusters").exists()


def test_it_knows_all_that_is_declared(tmp_path: Path) -> None:
    both = (*vars(operations).values(), *vars(further).values())
    declared = {one for one in both if isinstance(one, Operation)}
    assert set(create_twin(config(tmp_path)).state.twin.operations) == declared


def test_refusals_have_the_providers_form(neon: AtNeon) -> None:
    refused = neon.served.http.get("/projects")
    assert refused.status_code == 401
    assert refused.json().keys() == {"request_id", "code", "message"}
    unknown = neon.served.http.get("/projects/none", headers=AUTH)
    assert (unknown.status_code, unknown.json()["message"]) == (404, "project not found")
    assert neon.served.http.get("/regions", headers=AUTH).status_code == 501


def test_the_last_page_of_projects_names_a_cursor_too(neon: AtNeon) -> None:
    first = neon.served.http.get("/projects?limit=1", headers=AUTH).json()
    assert [one["id"] for one in first["projects"]] == [PROJECT]
    last = neon.served.http.get(f"/projects?limit=1&cursor={first['pagination']['cursor']}", headers=AUTH).json()
    assert last["projects"] == []


def asked(neon: AtNeon, method: str, path: str, **given: Any) -> tuple[int, str]:
    answer = neon.served.http.request(method, f"/projects/{PROJECT}{path}", headers=AUTH, **given)
    return answer.status_code, answer.json()["message"] if answer.status_code >= 400 else ""


CHANGES: list[tuple[str, str, dict[str, object] | None]] = [
    ("POST", "/branches", {"branch": {"name": "b"}}),
    ("PATCH", f"/branches/{OLD_IDEA}", {"branch": {"name": "c"}}),
    ("DELETE", f"/branches/{OLD_IDEA}", None),
    ("POST", f"/branches/{OLD_IDEA}/restore", {"source_branch_id": MAIN}),
    ("POST", f"/branches/{OLD_IDEA}/roles", {"role": {"name": "app"}}),
    ("POST", f"/branches/{OLD_IDEA}/roles/shop_owner/reset_password", None),
    ("POST", f"/branches/{OLD_IDEA}/databases", {"database": {"name": "d", "owner_name": "shop_owner"}}),
    ("DELETE", f"/branches/{OLD_IDEA}/databases/shop", None),
    ("POST", "/endpoints", {"endpoint": {"branch_id": OLD_IDEA, "type": "read_only"}}),
    ("POST", f"/endpoints/ep-{PROJECT}-main/start", None),
    ("DELETE", f"/endpoints/ep-{PROJECT}-main", None),
    ("POST", f"/branches/{OLD_IDEA}/snapshot", None),
    ("DELETE", "", None),
]


@pytest.mark.parametrize(("method", "path", "body"), CHANGES)
def test_one_change_of_a_project_goes_on_at_a_time(
    neon: AtNeon, method: str, path: str, body: dict[str, object] | None
) -> None:
    neon.ask("POST", f"/endpoints/ep-{PROJECT}-old-idea/start")
    given = {"json": body} if body is not None else {}
    status, message = asked(neon, method, path, **given)
    assert (status, "conflicting operations" in message) == (423, True)
    neon.advance(2)
    assert asked(neon, method, path, **given)[0] < 300


def test_a_compute_that_comes_up_cannot_be_suspended(neon: AtNeon) -> None:
    neon.ask("POST", f"/endpoints/ep-{PROJECT}-old-idea/start")
    status, message = asked(neon, "POST", f"/endpoints/ep-{PROJECT}-old-idea/suspend")
    assert (status, "transitive state" in message) == (423, True)


def test_operations_end_by_the_clock_and_the_newest_comes_first(neon: AtNeon) -> None:
    [first] = neon.ask("POST", f"/endpoints/ep-{PROJECT}-old-idea/start")["operations"]
    assert first["status"] == "running"
    neon.advance(1)
    assert neon.ask("GET", f"/operations/{first['id']}")["operation"]["status"] == "finished"
    [second] = neon.ask("POST", f"/endpoints/ep-{PROJECT}-old-idea/suspend")["operations"]
    assert [one["id"] for one in neon.ask("GET", "/operations")["operations"]] == [second["id"], first["id"]]
    paged = neon.ask("GET", "/operations?limit=1")
    assert [one["id"] for one in paged["operations"]] == [second["id"]]
    further = neon.ask("GET", f"/operations?limit=1&cursor={paged['pagination']['cursor']}")
    assert [one["id"] for one in further["operations"]] == [first["id"]]


def test_a_branch_has_one_compute_that_writes(neon: AtNeon) -> None:
    wanted = {"endpoint": {"branch_id": OLD_IDEA, "type": "read_write"}}
    assert asked(neon, "POST", "/endpoints", json=wanted)[0] == 409


def test_a_branch_without_a_compute_cannot_be_connected_to(neon: AtNeon) -> None:
    made = neon.ask("POST", "/branches", json={"branch": {"name": "bare"}})
    assert made["endpoints"] == []
    assert "connection_uris" not in made
    query = {"branch_id": made["branch"]["id"], "database_name": "shop", "role_name": "shop_owner"}
    assert asked(neon, "GET", "/connection_uri", params=query) == (404, "endpoint not found")


def test_a_password_is_shown_once_and_revealed_when_asked(neon: AtNeon) -> None:
    made = neon.ask("POST", f"/branches/{OLD_IDEA}/roles", json={"role": {"name": "app"}})
    password = made["role"]["password"]
    assert all("password" not in one for one in neon.ask("GET", f"/branches/{OLD_IDEA}/roles")["roles"])
    assert neon.ask("GET", f"/branches/{OLD_IDEA}/roles/app/reveal_password") == {"password": password}


def test_only_a_protected_parents_children_have_other_passwords(neon: AtNeon) -> None:
    def password_of(branch: str) -> str:
        return neon.ask("GET", f"/branches/{branch}/roles/shop_owner/reveal_password")["password"]

    first = neon.ask("POST", "/branches", json={"branch": {"name": "a", "parent_id": OLD_IDEA}})["branch"]["id"]
    assert password_of(first) == PASSWORD_CANARY
    neon.advance(2)
    neon.ask("PATCH", f"/branches/{OLD_IDEA}", json={"branch": {"protected": True}})
    second = neon.ask("POST", "/branches", json={"branch": {"name": "b", "parent_id": OLD_IDEA}})["branch"]["id"]
    assert password_of(second) != PASSWORD_CANARY


def test_a_deleted_branch_is_recoverable_for_a_week(neon: AtNeon) -> None:
    neon.ask("DELETE", f"/branches/{OLD_IDEA}")
    neon.advance(6 * 86_400)
    recovered = neon.ask("POST", f"/branches/{OLD_IDEA}/recover")
    assert (recovered["branch"]["name"], len(recovered["endpoints"])) == ("old-idea", 1)
    neon.ask("DELETE", f"/branches/{OLD_IDEA}")
    neon.advance(7 * 86_400 + 1)
    assert asked(neon, "POST", f"/branches/{OLD_IDEA}/recover")[0] == 404


def test_what_is_deleted_for_good_is_gone_at_once(neon: AtNeon) -> None:
    neon.ask("DELETE", f"/branches/{OLD_IDEA}?hard_delete=true")
    assert asked(neon, "POST", f"/branches/{OLD_IDEA}/recover")[0] in {404, 423}
    neon.advance(2)
    assert asked(neon, "POST", f"/branches/{OLD_IDEA}/recover")[0] == 404


def test_what_needs_a_history_is_refused(neon: AtNeon) -> None:
    moment = "2026-01-01T00:00:00Z"
    assert asked(neon, "POST", "/branches", json={"branch": {"parent_timestamp": moment}})[0] == 422
    restore = {"source_branch_id": OLD_IDEA, "source_timestamp": moment, "preserve_under_name": "before"}
    assert asked(neon, "POST", f"/branches/{OLD_IDEA}/restore", json=restore)[0] == 422
    del restore["preserve_under_name"]
    assert asked(neon, "POST", f"/branches/{OLD_IDEA}/restore", json=restore)[0] == 400
