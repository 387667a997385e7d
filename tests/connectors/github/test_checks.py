"""Check runs through the client: one for each key, whatever answer was lost; all as GitHub describes it."""

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from pydantic import ValidationError

from connectors.errors import AuthDenied, InvalidRequest, NotFound, Unavailable
from connectors.github.checks import Checks, WantedCheck, head, require_actions, tail
from connectors.github.content import GitHubSession
from connectors.github.shown import Action, Annotation
from connectors.github.twin.checks import MOST_KEPT
from connectors.github.twin.pulls import Check
from connectors.github.twin.writes import Kept
from tests.connectors.github.at_the_twin import kept_by
from tests.connectors.github.recorded import Served
from tests.connectors.github.shop import Shop

KEY = "github-job/1"


@pytest.fixture
def kept(twin: Served, shop: Shop) -> Iterator[Kept]:
    there = kept_by(twin, shop)
    there.checks.clear()
    yield there
    there.checks.clear()


@pytest_asyncio.fixture
async def session(twin: Served) -> AsyncIterator[GitHubSession]:
    async with twin.github().session(
        twin.credentials, repository="acme/shop", permissions={"checks": "write"}
    ) as session:
        yield session


@pytest.fixture
def checks(session: GitHubSession, kept: Kept) -> Checks:
    del kept
    return session.checks


def wanted(shop: Shop, annotations: int = 0, **changes: object) -> WantedCheck:
    remarks = tuple(
        Annotation(path="README.md", start_line=1, end_line=1, annotation_level="warning", message=f"remark {n}")
        for n in range(annotations)
    )
    asked = WantedCheck(
        name="banksman",
        head_sha=shop.feature,
        key=KEY,
        status="in_progress",
        title="T",
        summary="S",
        annotations=remarks,
    )
    return asked.model_copy(update=changes)


async def test_it_is_made_once_and_changed_in_its_place(checks: Checks, kept: Kept, shop: Shop) -> None:
    actions = (Action(label="Cancel", description="Cancel the goal", identifier="cancel"),)
    begun = await checks.put(wanted(shop, status="queued", actions=actions), number=None)
    again = await checks.put(wanted(shop, text="log", details_url="https://console.example/x"), number=begun.id)
    ended = await checks.put(wanted(shop, conclusion="success"), number=None)
    assert begun.id == again.id == ended.id
    [there] = kept.checks
    assert (there.status, there.conclusion, there.external_id) == ("completed", "success", KEY)
    assert (there.text, there.details_url, there.actions) == ("log", "https://console.example/x", [])
    await checks.put(wanted(shop), number=begun.id)
    assert (kept.checks[0].status, kept.checks[0].conclusion) == ("in_progress", None)


async def test_a_lost_answer_makes_no_second_one_and_no_annotation_twice(
    checks: Checks, kept: Kept, shop: Shop, twin: Served
) -> None:
    asked = wanted(shop, annotations=120)
    twin.plant(kind="drop_after_effect", method="POST", path="/check-runs$")
    with pytest.raises(Unavailable):
        await checks.put(asked, number=None)
    twin.plant(kind="drop_after_effect", method="PATCH", path="/check-runs/")
    with pytest.raises(Unavailable):
        await checks.put(asked, number=None)
    await checks.put(asked, number=None)
    await checks.put(asked, number=None)
    [there] = kept.checks
    assert [one["message"] for one in there.annotations] == [f"remark {n}" for n in range(120)]


async def test_annotations_are_told_in_pages(checks: Checks, twin: Served, shop: Shop) -> None:
    made = await checks.put(wanted(shop, annotations=3), number=None)
    bearer = {"Authorization": f"Bearer {twin.recorder.bearers[-1]}"}
    told = twin.hands.get(f"/repos/acme/shop/check-runs/{made.id}/annotations?per_page=2&page=2", headers=bearer)
    assert [one["message"] for one in told.json()] == ["remark 2"]


async def test_a_key_that_another_app_copied_is_not_ours(session: GitHubSession, shop: Shop, kept: Kept) -> None:
    await session.checks.put(wanted(shop), number=None)
    stranger = Checks(session.checks._api, "acme/shop", "Iv23liAnotherApp")
    await stranger.put(wanted(shop), number=None)
    assert len(kept.checks) == 2


async def test_the_thousand_and_first_pushes_the_oldest_out_and_that_is_said(
    checks: Checks, kept: Kept, shop: Shop
) -> None:
    first = await checks.put(wanted(shop), number=None)
    made = kept.checks[0]
    values = {name: getattr(made, name) for name in ("name", "head_sha", "status", "conclusion", "title", "summary")}
    kept.checks += [Check(id=n, external_id="other", at=made.at, **values) for n in range(10, MOST_KEPT + 9)]
    kept.checks_made = MOST_KEPT + 9
    await checks.put(wanted(shop, key="github-job/2"), number=None)
    with pytest.raises(NotFound, match=rf"check run {first.id} of 'acme/shop' is gone"):
        await checks.put(wanted(shop, conclusion="success"), number=first.id)


async def test_no_such_commit_and_an_archived_repository_are_said(checks: Checks, shop: Shop, twin: Served) -> None:
    with pytest.raises(InvalidRequest, match="No commit found for SHA"):
        await checks.put(wanted(shop, head_sha="0" * 40), number=None)
    body = {"message": "Repository was archived so is read-only."}
    twin.plant(kind="status", status=403, method="POST", path="/check-runs$", body=body)
    with pytest.raises(InvalidRequest, match="the repository is archived, so that it is only read"):
        await checks.put(wanted(shop), number=None)


async def test_a_token_that_only_reads_checks_writes_none(twin: Served, shop: Shop, kept: Kept) -> None:
    reads = {"checks": "read"}
    async with twin.github().session(twin.credentials, repository="acme/shop", permissions=reads) as session:
        with pytest.raises(AuthDenied):
            await session.checks.put(wanted(shop), number=None)
    assert kept.checks == []


def test_texts_are_cut_where_github_would_refuse_them() -> None:
    lines = "".join(f"line {n} ü\n" for n in range(20_000))
    assert len(tail(lines).encode()) <= 65_535
    assert tail(lines).startswith("… earlier lines are left out\nline ")
    assert tail(lines).endswith("line 19999 ü\n")
    assert head(lines).startswith("line 0 ü\n")
    assert len(head(lines).encode()) <= 65_535
    assert (head("short"), tail("short")) == ("short", "short")


def test_buttons_are_as_many_and_as_long_as_github_takes(shop: Shop) -> None:
    one = Action(label="Cancel", description="Cancel it", identifier="cancel")
    with pytest.raises(InvalidRequest, match="two actions"):
        require_actions((one, one))
    with pytest.raises(ValidationError):
        Action(label="x" * 21, description="d", identifier="i")
    with pytest.raises(ValidationError):
        WantedCheck.model_validate({**wanted(shop).model_dump(), "actions": [one.model_dump()] * 4})
