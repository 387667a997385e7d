"""Updates of dependencies as coding jobs: honest ones, and everything that stops one before anybody sees it."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from temporalio.client import Client

from activities.sandbox.update_contracts import DependenciesAudited, Finding
from tests.sandbox.updates.modules import GO_AFTER, GO_BEFORE, OTHER, go_mod, go_sum
from tests.sandbox.updates.registries import Package
from tests.sandbox.updates.working import AFTER, BEFORE, lock, pins
from tests.workflows.agent.looking import says
from tests.workflows.coding.coding import CodingHouse, done
from tests.workflows.coding.trees import TESTS
from workflows.coding.job.goals import CodingJobInput, CodingJobResult
from workflows.contracts import State

on_server = pytest.mark.asyncio(loop_scope="session")
KNOWN = Finding(id="OSV-1", package="hello", says="It can be made to @call people.")


async def updated(house: CodingHouse, **asked: Any) -> CodingJobResult:
    return await done(house, kind="deps", test=TESTS, **asked)


@pytest.fixture
def house(client: Client, tmp_path: Path) -> CodingHouse:
    return CodingHouse(client, tmp_path, says())


@on_server
async def test_an_update_becomes_a_pull_request_with_its_evidence_and_no_model_is_asked(house: CodingHouse) -> None:
    house.sandbox.audited = DependenciesAudited(tool="uv audit", left=(KNOWN,), mended=(KNOWN,))
    house.sandbox.updated = {"links": {"hello": "https://code.example.com/@hello/changes", "other": "javascript:x"}}
    result = await updated(house, packages=("hello", "other"))
    assert (result.outcome, result.reason, result.number) == (State.COMPLETED, None, 17)
    [commit], [pull] = house.github.commits, house.github.pulls
    [file] = commit.files
    assert (file.path, file.content_base64) == ("uv.lock", None)
    assert await house.artifacts.get(file.content or "") == lock(*AFTER).encode()
    assert (commit.onto, commit.message, pull.title) == (house.sandbox.commit, *2 * ("Update 3 packages in uv.lock",))
    for told in (
        "No language model took part",
        "| `hello` | `1.0` | `1.1` | `https://code.example.com/@hello/changes` |",
        "| `helper` | new | `1.0` |  |",
        "`uv audit` ran on the lock file before and after",
        "| `hello` | `OSV-1` | `It can be made to @call people.` |",
        '`["python3", "-m", "unittest"]` with the change: exit status 0',
    ):
        assert told in pull.body
    assert "javascript" not in pull.body
    assert (house.model.heard, house.sandbox.asked[0].packages) == ([], ("hello", "other"))
    assert [one.libraries for one in house.sandbox.opened] == [await house.artifacts.put(b"packages")]


@on_server
async def test_modules_of_go_are_committed_with_their_digests(house: CodingHouse) -> None:
    before = {"go.mod": go_mod(*GO_BEFORE), "go.sum": go_sum(*GO_BEFORE)}
    after = {"go.mod": go_mod(GO_BEFORE[0], GO_AFTER[1]), "go.sum": go_sum(GO_BEFORE[0], GO_AFTER[1])}
    await house.sandbox.wrote(before, after)
    house.sandbox.audited = DependenciesAudited(tool="OSV")
    result = await updated(house, packages=(OTHER,), ecosystem="go")
    assert (result.outcome, result.reason) == (State.COMPLETED, None)
    [commit] = house.github.commits
    assert [one.path for one in commit.files] == [one.path for one in result.files] == ["go.mod", "go.sum"]
    assert {one.path: (await house.artifacts.get(one.content or "")).decode() for one in commit.files} == after
    assert "| `example.com/other` | `v1.0.0` | `v1.1.0` |" in house.github.pulls[0].body


@on_server
@pytest.mark.parametrize("hashed", [True, False])
async def test_of_pins_without_digests_none_are_claimed(house: CodingHouse, hashed: bool) -> None:
    name = "requirements.txt"
    await house.sandbox.wrote({name: pins(*BEFORE, hashed=hashed)}, {name: pins(*AFTER, hashed=hashed)})
    result = await updated(house, ecosystem="pip")
    assert (result.outcome, result.hashed) == (State.COMPLETED, hashed)
    [row] = [one for one in house.github.pulls[0].body.splitlines() if one.startswith("| Every file has a digest")]
    assert ("| yes |" in row, "this file has no digests" in row) == (hashed, not hashed)


@on_server
async def test_one_package_is_named_in_the_title_and_what_else_could_move_is_told(house: CodingHouse) -> None:
    house.sandbox.locked = lock(BEFORE[0], AFTER[2])
    house.sandbox.updated = {"every": await house.artifacts.put(lock(*AFTER).encode())}
    result = await updated(house, packages=("other",))
    assert (result.title, house.github.commits[0].message) == ("Update other from 2.0 to 2.1",) * 2
    assert [(one.name, one.after) for one in result.beside] == [("hello", "1.1")]
    assert "### Could move as well, and does not here\n\n|" in house.github.pulls[0].body


@on_server
async def test_a_new_name_like_a_known_one_is_shown_where_people_look(house: CodingHouse) -> None:
    house.sandbox.locked = lock(*AFTER, Package("helo", "1.0"))
    await updated(house)
    assert "> **Look at `helo`**: it is new, and its name is hardly another than `hello`" in house.github.pulls[0].body


@on_server
async def test_where_nothing_moves_nothing_is_proposed(house: CodingHouse) -> None:
    house.sandbox.locked = lock(*BEFORE).replace("revision = 5", "revision = 6")
    result = await updated(house)
    assert (result.outcome, house.untouched) == (State.COMPLETED, True)
    assert result.reason == "Everything that was asked for is as new as its manifest lets it be"


@on_server
@pytest.mark.parametrize(
    ("sandbox", "reason"),
    [
        (
            {"updated": {"refused": "the deployment opens no registries: name them in BANKSMAN_SANDBOX_MIRRORS"}},
            "MIRRORS",
        ),
        ({"locked": lock(*AFTER, host="evil.example.com")}, "it comes from elsewhere than the registries"),
        ({"locked": "version = 7\n"}, "a form that is not known"),
        ({"updated": {"lock": ".github/uv.lock"}}, "changes one lock file that is there"),
        ({"audited": DependenciesAudited(refused="the audit could not run: nobody answered")}, "it was not audited"),
        ({"audited": DependenciesAudited(tool="uv audit", brought=(KNOWN,))}, "known to be vulnerable: hello, OSV-1"),
        ({"runs": lambda _: (1, "failed")}, "with the new versions the tests do not pass: exit status 1"),
    ],
    ids=["closed", "elsewhere", "form", "another-file", "not-audited", "vulnerable", "tests"],
)
async def test_what_stops_an_update_stops_it_before_anybody_sees_it(
    house: CodingHouse, sandbox: dict[str, Any], reason: str
) -> None:
    for name, value in sandbox.items():
        setattr(house.sandbox, name, value)
    result = await updated(house)
    assert (result.outcome, house.untouched) == (State.REFUSED, True)
    assert reason in (result.reason or "")


@pytest.mark.parametrize(
    "asked",
    [
        {"packages": ["--registry=https://evil.example.com"]},
        {"packages": ["../x"]},
        {"packages": ["example.com/../x"]},
        {"packages": ["example.com/x@v9.0.0"]},
        {"packages": ["./..."]},
        {"packages": ["example.com/..."]},
        {"packages": ["/x"]},
        {"packages": ["a b"]},
        {"issue": 3},
        {"pull": 3},
        {"kind": "docs", "text": "x", "packages": ["hello"]},
        {"kind": "docs", "text": "x", "ecosystem": "npm"},
    ],
)
def test_what_no_update_is_asked_for_is_no_input(asked: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        CodingJobInput.model_validate({"repository": "acme/shop", "kind": "deps", **asked})


def test_a_job_is_known_by_what_it_was_asked_and_one_of_another_kind_by_the_same_key_as_before() -> None:
    job = CodingJobInput(repository="acme/shop", kind="docs", text="x")
    assert job.business_key() == "coding-job/acme/shop/docs/e1bb2903a269"
    of = {CodingJobInput(repository="acme/shop", kind="deps", packages=one).business_key() for one in ((), ("hello",))}
    assert len(of) == 2
