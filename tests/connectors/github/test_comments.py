"""Comments, labels and reactions through the client: each once, and ours told from a stranger's."""

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from connectors.errors import NotFound, Unavailable
from connectors.github.comments import Comments, mark_of
from connectors.github.content import GitHubSession
from connectors.github.twin.pulls import Comment, Pull
from connectors.github.twin.writes import Kept, KeptIssue
from tests.connectors.github.at_the_twin import kept_by
from tests.connectors.github.recorded import Served
from tests.connectors.github.shop import Shop

KEY = "github-job/1"


@pytest.fixture
def kept(twin: Served, shop: Shop) -> Kept:
    there = kept_by(twin, shop)
    there.comments.clear()
    there.reactions.clear()
    there.labels.clear()
    return there


@pytest.fixture
def pull(kept: Kept) -> Iterator[Pull]:
    made = Pull(
        number=kept.next_number(), title="T", body=None, head="feature/cart", base="main", draft=False, at="2026-01-01"
    )
    kept.pulls.append(made)
    yield made
    kept.pulls.remove(made)


@pytest_asyncio.fixture
async def session(twin: Served) -> AsyncIterator[GitHubSession]:
    async with twin.github().session(
        twin.credentials, repository="acme/shop", permissions={"issues": "write"}
    ) as session:
        yield session


@pytest.fixture
def comments(session: GitHubSession) -> Comments:
    return session.comments


async def test_one_comment_is_changed_in_its_place_whatever_answer_was_lost(
    comments: Comments, pull: Pull, kept: Kept, twin: Served
) -> None:
    twin.plant(kind="drop_after_effect", method="POST", path="/comments$")
    with pytest.raises(Unavailable):
        await comments.put(pull.number, "begun", key=KEY)
    begun = await comments.put(pull.number, "begun", key=KEY)
    ended = await comments.put(pull.number, "ended", key=KEY)
    assert begun.id == ended.id
    assert [one.body for one in kept.comments] == [f"ended\n\n{mark_of(KEY)}"]
    await comments.put(pull.number, "ended", key=KEY)
    assert sum(line.startswith("PATCH") for line in twin.recorder.lines()) == 1


async def test_a_mark_in_a_strangers_comment_or_in_what_ours_quotes_counts_for_nothing(
    comments: Comments, pull: Pull, kept: Kept
) -> None:
    kept.comments.append(
        Comment(id=7, on=pull.number, body=f"mine\n\n{mark_of(KEY)}", at="2026-01-01", person="mallory")
    )
    await comments.put(pull.number, f"they said:\n{mark_of('github-job/2')}", key=KEY)
    await comments.put(pull.number, "of the second", key="github-job/2")
    assert kept.comments[0].body.startswith("mine")
    assert [one.body.splitlines()[-1] for one in kept.comments[1:]] == [mark_of(KEY), mark_of("github-job/2")]


async def test_an_issue_is_talked_about_as_a_pull_request_is(comments: Comments, kept: Kept) -> None:
    issue = KeptIssue(number=kept.next_number(), title="It burns", body=None, at="2026-01-01")
    kept.issues.append(issue)
    made = await comments.put(issue.number, "seen", key=KEY)
    assert await comments.find(issue.number, key=KEY) == made
    await comments.label(issue.number, "banksman:pending", color="fbca04", description="A job runs")
    await comments.react("issue", issue.number, "eyes")
    assert (issue.labels, len(kept.reactions)) == (["banksman:pending"], 1)
    kept.issues.remove(issue)


async def test_one_that_is_deleted_is_gone_and_deleting_it_again_is_harmless(
    comments: Comments, pull: Pull, kept: Kept
) -> None:
    made = await comments.put(pull.number, "text", key=KEY)
    await comments.delete(made.id)
    await comments.delete(made.id)
    assert kept.comments[0].gone
    assert await comments.find(pull.number, key=KEY) is None


async def test_a_label_is_made_where_it_is_none_and_put_on_and_taken_off_once(
    comments: Comments, pull: Pull, kept: Kept
) -> None:
    for _ in range(2):
        await comments.label(pull.number, "banksman:pending", color="fbca04", description="A job runs")
    assert (pull.labels, kept.labels) == (["banksman:pending"], ["banksman:pending"])
    for _ in range(2):
        await comments.unlabel(pull.number, "banksman:pending")
    assert pull.labels == []


async def test_a_reaction_is_made_once_and_to_nothing_there_is_none(comments: Comments, pull: Pull, kept: Kept) -> None:
    said = await comments.put(pull.number, "text", key=KEY)
    first = await comments.react("issue_comment", said.id, "eyes")
    assert await comments.react("issue_comment", said.id, "eyes") == first
    assert await comments.react("issue_comment", said.id, "rocket") != first
    await comments.react("issue", pull.number, "eyes")
    assert len(kept.reactions) == 3
    with pytest.raises(NotFound):
        await comments.react("issue_comment", 999, "eyes")
