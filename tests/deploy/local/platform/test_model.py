"""How traffic is shared between two releases, and what time makes of it."""

import pytest
from pydantic import ValidationError

from deploy.local.platform.model import MOST_SOURCE, Release, Rollout, Turns, Wanted


def wanted(text: str, **changes: object) -> Wanted:
    given: dict[str, object] = {"name": "shop", "files": {"main.py": text}, "command": ("python3", "main.py")}
    return Wanted.model_validate({**given, "share": 25, "watchSeconds": 60, **changes})


OLD, NEW = wanted("old"), wanted("new")


def test_a_new_release_gets_its_share_until_the_watch_ends_and_then_all() -> None:
    rollout = Rollout(current=OLD.release).towards(NEW, now=100)
    assert (rollout.current, rollout.newer, rollout.share, rollout.until) == (OLD.release, NEW.release, 25, 160)
    assert rollout.after(now=159.9) == rollout
    assert rollout.after(now=160) == Rollout(current=NEW.release)


def test_without_a_watch_it_gets_all_at_once() -> None:
    assert Rollout(current=OLD.release).towards(wanted("new", watchSeconds=0), now=0) == Rollout(current=NEW.release)


def test_back_to_what_still_runs_is_back_at_once() -> None:
    rollout = Rollout(current=OLD.release).towards(NEW, now=100)
    assert rollout.towards(OLD, now=110) == Rollout(current=OLD.release)


def test_asked_again_for_the_same_it_begins_no_second_watch() -> None:
    rollout = Rollout(current=OLD.release).towards(NEW, now=100)
    assert rollout.towards(NEW, now=130) == rollout
    assert rollout.towards(wanted("new", share=100), now=130).until == 160


def test_one_that_died_under_watch_is_never_all() -> None:
    rollout = Rollout(current=OLD.release).towards(NEW, now=100).without_newer()
    assert rollout == Rollout(current=OLD.release, failed=NEW.release.digest)
    assert rollout.after(now=10**9) == rollout


@pytest.mark.parametrize("share", [1, 25, 33, 50, 99, 100])
def test_of_each_hundred_requests_the_newer_gets_just_its_share_spread_out(share: int) -> None:
    rollout, turns = Rollout(current=OLD.release, newer=NEW.release, share=share, until=1), Turns()
    taken = [turns.take(rollout) is rollout.newer for _ in range(300)]
    assert [sum(taken[start : start + 100]) for start in (0, 100, 200)] == [share] * 3
    longest = max((len(run) for run in "".join("n" if one else "." for one in taken).split("n")), default=0)
    assert longest <= -(-100 // share)


def test_the_same_files_and_command_are_the_same_release_and_nothing_else_is() -> None:
    first = Release(files={"a": "1", "b": "2"}, command=("x",))
    assert first.digest == Release(files={"b": "2", "a": "1"}, command=("x",)).digest
    others = [
        Release(files={"a": "1", "b": "3"}, command=("x",)),
        Release(files={"a": "1", "b": "2"}, command=("y",)),
        Release(files={"a": "1"}, command=("x",)),
    ]
    assert len({one.digest for one in (first, *others)}) == 4


@pytest.mark.parametrize(
    "change",
    [
        {"name": "../x"},
        {"name": "shop@newest"},
        {"files": {}},
        {"files": {"../main.py": "x"}},
        {"files": {"/etc/passwd": "x"}},
        {"files": {"main.py": "x" * (MOST_SOURCE + 1)}},
        {"command": []},
        {"health": "no-path"},
        {"health": "/a\r\nHost: x"},
        {"share": 0},
        {"share": 101},
        {"watchSeconds": -1},
        {"image": "evil"},
    ],
)
def test_what_cannot_be_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        wanted("x", **change)
