"""What a review says is a command as a comment is: by the same rules, and once for the whole review."""

import json

import pytest

from hitl.github.commands import Command
from hitl.github.deciding import Answer, Carry, Ignore, Look, Start, decide
from hitl.github.events import Actor, AnyEvent, PullRequestReviewEvent, read_event
from hitl.github.ours import TARGET, TARGET_TYPE, Ours
from hitl.github.reviews import said_once
from hitl.policy.triggers import Permission, SlashCommand
from tests.hitl.github.deciding_cases import (
    ALICE,
    BOT,
    FORK,
    READ,
    STRANGER,
    comment,
    facts,
    on_line,
    policy,
    pull,
    review,
)
from tests.hitl.github.payloads import review_payload
from tests.hitl.github.test_ours import check

_OF = {TARGET: "77", TARGET_TYPE: "integration"}


def test_a_command_on_the_first_line_of_a_review_is_what_it_is_in_a_comment() -> None:
    assert decide(review(), policy()) == decide(comment(), policy()) == Look(ALICE.login)
    found, same = decide(review(), policy(), facts()), decide(comment(), policy(), facts())
    assert isinstance(found, Start)
    assert found == same
    carried = decide(review("/banksman status\n\nand looks good"), policy(), facts())
    assert isinstance(carried, Carry)
    assert carried.command == Command(word=SlashCommand.STATUS)


@pytest.mark.parametrize("body", ["", "Looks good.", f"Please:\n{READ}", f"> {READ}", "/banksmanrun"])
def test_a_review_that_says_no_command_begins_nothing(body: str) -> None:
    assert isinstance(decide(review(body), policy(), facts()), Ignore)


def test_a_review_without_a_text_is_one() -> None:
    event = read_event("pull_request_review", json.dumps(review_payload(body=None)).encode())
    assert isinstance(event, PullRequestReviewEvent)
    assert (event.review.body, event.pull_request.number) == ("", 4)


@pytest.mark.parametrize("action", ["edited", "dismissed", "unknown"])
def test_what_was_edited_or_dismissed_begins_nothing_whoever_did_it(action: str) -> None:
    for by in (ALICE, BOT):
        assert isinstance(decide(review(by=by, of=ALICE, action=action), policy(), facts()), Ignore)


def test_a_bots_review_and_one_in_anothers_name_have_nobodys_rights() -> None:
    for event in (review(by=BOT), review(by=ALICE, of=BOT), review(by=ALICE, of=STRANGER), review(by=BOT, of=ALICE)):
        found = decide(event, policy(), facts())
        assert isinstance(found, Ignore)
        assert "nobody" in found.why
    deleted = review().model_copy(update={"review": review().review.model_copy(update={"user": None})})
    assert isinstance(decide(deleted, policy(), facts()), Ignore)
    archived = review().model_copy(update={"repository": review().repository.model_copy(update={"archived": True})})
    assert isinstance(decide(archived, policy(), facts()), Ignore)


def test_the_author_of_a_forks_pull_request_may_by_a_review_what_github_says_and_no_more() -> None:
    author = decide(review(head=FORK), policy(), facts(Permission.READ))
    assert isinstance(author, Answer)
    assert "GitHub says that you may do what `read` allows" in author.words
    unknown = decide(review(by=STRANGER, head=FORK), policy(), facts(account=STRANGER.id))
    assert isinstance(unknown, Answer)
    assert not unknown.aloud, "to strangers nothing is said"
    taken = decide(review(by=Actor(login="alice", id=STRANGER.id)), policy(), facts(account=STRANGER.id))
    assert isinstance(taken, Answer)
    assert "somebody took that login" in taken.words


def test_the_same_line_in_one_review_is_said_once() -> None:
    here = said_once(review())
    assert here.startswith("review-40-")
    for same in (
        review(f"{READ}\r\n\nand more"),
        on_line(),
        on_line(f"{READ}  \n> quoted"),
        review(action="submitted"),
    ):
        assert said_once(same) == here


@pytest.mark.parametrize(
    "event",
    [
        review("/banksman help"),
        review(number=41),
        review(by=STRANGER),
        on_line(review=41),
        on_line(by=STRANGER),
        on_line("/banksman status"),
    ],
)
def test_another_line_review_or_person_is_something_else(event: AnyEvent) -> None:
    assert said_once(event) not in {"", said_once(review())}


def test_what_is_of_no_review_is_known_by_its_delivery_alone() -> None:
    assert {said_once(one) for one in (comment(), on_line(review=None), pull("opened"))} == {""}


def test_the_apps_own_review_comes_back_and_is_told_by_its_name() -> None:
    ours, event = Ours(), review(by=BOT)
    assert not ours.is_own(event, _OF), "nobody knows yet what it is called"
    assert ours.is_own(check("created"), _OF)
    assert ours.is_own(event, _OF)
    for other in (review(), review(by=BOT.model_copy(update={"type": "User"})), review(by=STRANGER, of=BOT)):
        assert not ours.is_own(other, _OF)
