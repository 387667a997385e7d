"""From what people say on GitHub to what they merge there: all of it through the webhooks of the running environment.

What became of each is asserted from the twin's own books: its pull requests, check runs, comments and branches.
"""

import re
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from connectors.github.twin.pulls import Check, Pull
from connectors.github.twin.writes import Kept, kept_besides_git
from deploy.local.example import SERVICE_REPOSITORY
from tests.stack.running import Running, eventually

pytestmark = [pytest.mark.stack, pytest.mark.timeout(900)]

_SECONDS: Final = 240
_APPROVAL: Final = re.compile(r"`/banksman approve (?P<words>\S+ [0-9a-f]{12,})`")
_NAMED: Final = "test_a_price_below_a_dollar"
_BROKEN: Final = "broken/cents"
_WHO: Final = ("-c", "user.name=Alice", "-c", "user.email=alice@example.com")


class Front:
    """The twin of GitHub, as people see it and as it keeps its books."""

    def __init__(self, running: Running) -> None:
        self._running = running
        self._name = SERVICE_REPOSITORY.replace("/", ".")

    @property
    def bare(self) -> Path:
        return self._running.home / "repositories" / f"{SERVICE_REPOSITORY}.git"

    @property
    def books(self) -> Kept:
        return kept_besides_git(self._running.home / "twins" / "github" / f"{self._name}.json")

    def act(self, act: str, person: str = "alice", **what: object) -> Mapping[str, Any]:
        given = {"repository": SERVICE_REPOSITORY, "person": person, "act": act, **what}
        answer = httpx.post(f"{self._running.github}/_github/acts", json=given)
        assert answer.status_code == 201, answer.text
        return answer.json()

    def git(self, *words: str) -> str:
        done = subprocess.run(["git", *words], cwd=self.bare, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def said_on(self, number: int) -> list[str]:
        """What the App says there, oldest first, as it stands now."""
        return [one.body for one in self.books.comments if one.on == number and not one.person]

    def until(self, holds: Callable[[Kept], Any], what: str) -> Any:
        """What comes of it, once something does."""
        found: list[Any] = []

        def look() -> bool:
            found[:] = [one for one in [holds(self.books)] if one]
            return bool(found)

        eventually(look, seconds=_SECONDS, what=f"{what}: {self.books}")
        return found[0]

    def pull_after(self, number: int) -> Pull:
        """The pull request that is opened next."""
        return self.until(lambda books: next((one for one in books.pulls if one.number > number), None), "a pull")

    def ended(self, on: int) -> str:
        """What the one result comment of a goal says, once it has ended."""
        return self.until(
            lambda _: next((one for one in self.said_on(on) if "ended as" in one and one not in self._before), None),
            "an end",
        )

    _before: tuple[str, ...] = ()

    def newly(self, on: int) -> None:
        """What the App has said there so far is no answer to what comes next."""
        self._before = tuple(self.said_on(on))

    def check(self, sha: str) -> Check:
        """The last check run of a coding job on a commit, once it has ended."""
        return self.until(
            lambda books: next(
                (one for one in reversed(books.checks) if one.head_sha == sha and one.conclusion == "success"), None
            ),
            "a check run",
        )


@pytest.fixture(scope="module")
def front(stack: Running) -> Front:
    return Front(stack)


@pytest.fixture(scope="module")
def proposed(front: Front) -> Pull:
    """The pull request that comes of what Alice asks for in words on an issue, once Boris said yes to the plan."""
    before = front.books.next_number()
    issue = int(front.act("issue", title="The window is hardly tested", body="Its prices are not.")["number"])
    front.act("comment", number=issue, body="/banksman ask add tests for the window")
    asked = front.until(
        lambda _: next((found for one in front.said_on(issue) if (found := _APPROVAL.search(one))), None), "a plan"
    )
    mine = front.act("comment", number=issue, body=f"/banksman approve {asked['words']}")
    assert mine["id"]
    front.act("comment", "boris", number=issue, body=f"/banksman approve {asked['words']}")
    pull = front.pull_after(before)
    ended = front.ended(issue)
    assert "AskFor ended as completed" in ended
    assert f"/pull/{pull.number}" in ended
    return pull


def test_what_is_asked_for_in_words_becomes_a_pull_request_whose_tests_are_green(front: Front, proposed: Pull) -> None:
    assert (proposed.title, proposed.base, proposed.state) == ("Test the price in the window", "main", "open")
    assert front.git("diff", "--name-only", "main", proposed.head) == "tests/test_price.py"
    assert '`["python3", "-m", "unittest"]` with the change: exit status 0' in str(proposed.body)
    assert "OK" in str(proposed.body)


def test_a_review_is_taken_up_on_its_own_branch_answered_and_merged_by_a_person(front: Front, proposed: Pull) -> None:
    head = front.git("rev-parse", proposed.head)
    front.act("review", "boris", number=proposed.number, state="CHANGES_REQUESTED", body="Nearly.")
    where: dict[str, Any] = {"number": proposed.number, "path": "tests/test_price.py", "line": 7}
    comment = front.act("review_comment", **where, body=f"/banksman revise\nName the test {_NAMED}.")["id"]
    assert "CodingJob ended as completed" in front.ended(proposed.number)
    now = front.git("rev-parse", proposed.head)
    assert front.git("rev-parse", f"{now}^") == head
    assert _NAMED in front.git("show", f"{now}:tests/test_price.py")
    for one in (front.check(head), front.check(now)):
        assert (one.name, one.title) == ("banksman / CodingJob", "CodingJob ended as completed")
        assert "github.add_commit  completed" in str(one.text)
        assert str(one.details_url).startswith("http")
    [answer] = [one for one in front.books.review_comments if one.reply_to == comment]
    assert (f"It is called {_NAMED} now." in answer.body, now in answer.body, answer.person) == (True, True, "")
    assert any("took up the review" in one and "exit status 0" in one for one in front.said_on(proposed.number))
    merged = front.act("merge", number=proposed.number)["sha"]
    assert front.git("rev-parse", "main") == merged
    [pull] = [one for one in front.books.pulls if one.number == proposed.number]
    assert pull.stands == "merged"


def _break(front: Front, folder: Path) -> None:
    """A branch on which a test fails, as somebody pushed it."""
    front.git("clone", "--quiet", "--branch", "main", str(front.bare), str(folder))
    window = folder / "app" / "window.py"
    window.write_text(window.read_text().replace("% 100:02}", "% 100}"))
    for words in (("commit", "--quiet", "--all", "-m", "Shorter"), ("push", "--quiet", "origin", f"HEAD:{_BROKEN}")):
        front.git("-C", str(folder), *_WHO, *words)


def test_a_failing_test_is_mended_and_what_mends_it_is_reviewed(front: Front, proposed: Pull, tmp_path: Path) -> None:
    _break(front, tmp_path / "shop")
    issue = int(front.act("issue", title="Five cents too much")["number"])
    said = f'/banksman run CodingJob kind=quality base={_BROKEN} text="Mend the price in the window."'
    front.act("comment", number=issue, body=said)
    pull = front.pull_after(issue)
    assert (pull.title, pull.base) == ("Show both digits of the cents", _BROKEN)
    for how in ("with the change: exit status 0", "without the change: exit status 1"):
        assert f'`["python3", "-m", "unittest"]` {how}' in str(pull.body)
    assert "CodingJob ended as completed" in front.ended(issue)
    front.act("comment", number=pull.number, body=f"/banksman run CodingJob kind=review pull={pull.number}")
    assert "CodingJob ended as completed" in front.ended(pull.number)
    [kept] = [one for one in front.books.pulls if one.number == pull.number]
    [review] = kept.reviews
    head = front.git("rev-parse", pull.head)
    assert (review.person, review.state, review.commit) == ("banksman[bot]", "COMMENTED", head)
    check = front.check(head)
    assert "github.review_pull_request  completed" in str(check.text)
    front.act("merge", "boris", number=pull.number, method="squash")
    assert "% 100:02}" in front.git("show", f"{_BROKEN}:app/window.py")
