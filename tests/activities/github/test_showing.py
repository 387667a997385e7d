"""The steps that show a job, run as Temporal runs them, against the twin over real git."""

from collections.abc import Iterator

import pytest
from pydantic import BaseModel

from activities.github.showing_contracts import (
    ADD_REACTION,
    PUT_CHECK,
    PUT_COMMENT,
    PUT_LABEL,
    AddReactionRequest,
    PutCheckRequest,
    PutCommentRequest,
    PutLabelRequest,
)
from connectors.errors import AuthDenied, Conflict, InvalidRequest, NotFound, Unavailable
from connectors.github.pace import MINUTE
from connectors.github.shown import Action, Annotation
from connectors.github.twin.pulls import Pull
from connectors.github.twin.writes import Kept
from tests.activities.github.at_work import REPOSITORY, House, at_work
from tests.connectors.github.at_the_twin import kept_by

JOB = "github-job/1"
GONE = {"message": "Not Found"}


@pytest.fixture
def kept(house: House) -> Iterator[Kept]:
    there = kept_by(house.twin, house.shop)
    _clear(there)  # of what tests of other steps left
    there.pulls.append(
        Pull(number=1, title="T", body=None, head="feature/cart", base="main", draft=False, at="2026-01-01")
    )
    yield there
    _clear(there)


def _clear(there: Kept) -> None:
    for those in (there.pulls, there.comments, there.checks, there.labels, there.reactions):
        those.clear()


def check(house: House, **changes: object) -> PutCheckRequest:
    asked = PutCheckRequest(
        repository=REPOSITORY,
        commit=house.shop.feature,
        name="banksman / ReadFile",
        status="in_progress",
        title="ReadFile",
        summary="It runs",
    )
    return asked.model_copy(update=changes)


async def put(house: House, request: PutCheckRequest, job: str = JOB) -> int | None:
    return (await at_work(PUT_CHECK.name, job).run(house.shows.put_check, request)).check


async def test_the_second_attempt_finds_what_the_first_one_made(house: House, kept: Kept) -> None:
    remark = Annotation(path="README.md", start_line=1, end_line=1, annotation_level="notice", message="m")
    wanted = check(house, annotations=(remark,) * 60)
    house.twin.plant(kind="drop_after_effect", method="POST", path="/check-runs$")
    with pytest.raises(Unavailable):
        await put(house, wanted)
    number = await put(house, wanted)
    assert await put(house, check(house, annotations=(remark,) * 60, conclusion="success", check=number)) == number
    [there] = kept.checks
    assert (there.external_id, there.conclusion, len(there.annotations)) == (JOB, "success", 60)
    assert set(map(str, house.permissions)) == {"{'checks': 'write'}"}
    assert house.twin.live_tokens == 0


async def test_another_jobs_check_run_is_left_as_it_is(house: House, kept: Kept) -> None:
    number = await put(house, check(house))
    with pytest.raises(Conflict, match="is somebody else's, and is left as it is"):
        await put(house, check(house, check=number, conclusion="success"), "github-job/of-mallory")
    assert [(one.id, one.conclusion) for one in kept.checks] == [(number, None)]


async def test_a_long_log_is_shown_by_its_end(house: House, kept: Kept) -> None:
    text = "".join(f"line {n}\n" for n in range(20_000))
    await put(house, check(house, text=text, title="t" * 400))
    [there] = kept.checks
    assert there.text is not None
    assert (len(there.text) <= 65_535, there.text.endswith("line 19999\n")) == (True, True)


async def test_progress_is_left_out_before_the_limits_and_the_end_is_not(house: House, kept: Kept) -> None:
    shows = house.shows
    for _ in range(MINUTE // 2 + 10):
        shows._github._pace(REPOSITORY).require("something else")
    left_out = await at_work(PUT_CHECK.name, JOB).run(shows.put_check, check(house, progress=True))
    assert (left_out.shown, kept.checks) == (False, [])
    assert (await at_work(PUT_CHECK.name, JOB).run(shows.put_check, check(house, conclusion="success"))).shown


@pytest.mark.parametrize(
    ("fault", "error", "said"),
    [
        ({"status": 404, "path": "/installation$|access_tokens", "times": 2, "body": GONE}, NotFound, "not installed"),
        (
            {"status": 422, "path": "access_tokens", "body": {"message": "There is at least one repository that"}},
            AuthDenied,
            "acme/shop",
        ),
        (
            {"status": 403, "method": "POST", "path": "/check-runs$", "body": {"message": "Repository was archived"}},
            InvalidRequest,
            "archived",
        ),
        ({"status": 404, "path": "/check-runs", "body": GONE}, NotFound, "acme/shop"),
    ],
    ids=["uninstalled", "renamed or transferred", "archived", "gone"],
)
async def test_a_place_that_is_gone_is_said_in_a_sentence(
    house: House, kept: Kept, fault: dict[str, object], error: type[Exception], said: str
) -> None:
    house.twin.plant(kind="status", **fault)
    with pytest.raises(error, match=said):
        await put(house, check(house))
    assert kept.checks == []
    assert house.twin.live_tokens == 0


async def test_a_repository_that_was_renamed_is_followed_where_github_says(house: House, kept: Kept) -> None:
    new = f"{house.twin.address}/repos/Acme/Shop/check-runs"
    house.twin.plant(kind="status", status=301, method="POST", path="/check-runs$", headers={"location": new})
    await put(house, check(house))
    assert len(kept.checks) == 1


async def run(house: House, request: BaseModel, job: str = JOB) -> None:
    match request:
        case PutCommentRequest():
            await at_work(PUT_COMMENT.name, job).run(house.shows.put_comment, request)
        case PutLabelRequest():
            await at_work(PUT_LABEL.name, job).run(house.shows.put_label, request)
        case AddReactionRequest():
            await at_work(ADD_REACTION.name, job).run(house.shows.add_reaction, request)
        case _:
            raise AssertionError(request)


async def test_each_job_has_one_comment_and_changes_no_others(house: House, kept: Kept) -> None:
    for job, text in ((JOB, "begun"), ("github-job/2", "another"), (JOB, "ended")):
        await run(house, PutCommentRequest(repository=REPOSITORY, number=1, text=text), job)
    assert [one.body.partition("\n")[0] for one in kept.comments] == ["ended", "another"]
    assert house.permissions == [{"issues": "write"}] * 3


async def test_one_label_of_a_job_at_a_time_and_those_of_people_stay(house: House, kept: Kept) -> None:
    kept.pulls[0].labels = ["theirs"]
    for label in ("banksman:pending", "banksman:applied"):
        await run(house, PutLabelRequest.model_validate({"repository": REPOSITORY, "number": 1, "label": label}))
        assert kept.pulls[0].labels == ["theirs", label]
    await run(house, PutLabelRequest(repository=REPOSITORY, number=1, label=None))
    assert kept.pulls[0].labels == ["theirs"]


async def test_a_reaction_whose_answer_was_lost_is_there_once(house: House, kept: Kept) -> None:
    await run(house, PutCommentRequest(repository=REPOSITORY, number=1, text="t"))
    wanted = AddReactionRequest(repository=REPOSITORY, to="issue_comment", id=kept.comments[0].id, reaction="eyes")
    house.twin.plant(kind="drop_after_effect", method="POST", path="/reactions$")
    with pytest.raises(Unavailable):
        await run(house, wanted)
    await run(house, wanted)
    assert len(kept.reactions) == 1


@pytest.mark.parametrize("job", ["job/-->x", "job\nx", " job"])
async def test_an_id_that_would_end_the_hidden_line_writes_nothing(house: House, kept: Kept, job: str) -> None:
    with pytest.raises(InvalidRequest, match="cannot be written into what is made on GitHub"):
        await run(house, PutCommentRequest(repository=REPOSITORY, number=1, text="t"), job)
    assert kept.comments == []


async def test_buttons_that_github_could_not_tell_apart_are_refused(house: House, kept: Kept) -> None:
    one = Action(label="Cancel", description="Cancel it", identifier="cancel")
    with pytest.raises(InvalidRequest, match="two actions"):
        await put(house, check(house, actions=(one, one)))
    assert kept.checks == []
