"""Drift as the real CLI sees it: the whole difference, only what is new, and noise that is known until a day."""

from datetime import date
from pathlib import Path

import pytest

from connectors.pulumi.drift import DriftKind, DriftReport, SeenBy, find_drift, since_last
from connectors.pulumi.event_reader import read_events
from connectors.pulumi.files import FileProblem
from connectors.pulumi.noise import Noise, load_noise
from connectors.pulumi.rendering import drift_lines
from tests.connectors.pulumi.machine import PROGRAM, Ran, Stack

pytestmark = pytest.mark.timeout(1800)

TODAY = date(2026, 11, 21)
FIRST = "urn:pulumi:dev::shop::banksman:files:File::first"
SECOND = "urn:pulumi:dev::shop::banksman:files:File::second"


def look(stack: Stack) -> Ran:
    return stack.logged("refresh", "--preview-only").must()


def report(ran: Ran, noise: Noise | None = None) -> DriftReport:
    return find_drift(read_events(ran.events), today=TODAY, noise=noise)


@pytest.fixture(scope="module")
def by_hand(deployed: Stack, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """A look after somebody wrote into one file."""
    stack = deployed.copy(tmp_path_factory.mktemp("by-hand") / "stack")
    (stack.files / "first.txt").write_text("by hand")
    return look(stack)


def test_what_was_changed_and_deleted_by_hand_is_the_whole_difference(stack: Stack) -> None:
    exported = stack.export()
    (stack.files / "first.txt").write_text("by hand")
    (stack.files / "second.txt").unlink()
    (stack.files / "locked.txt").write_text("hunter9-canary")
    found = report(look(stack))
    assert stack.export() == exported
    assert (found.complete, found.looked_at, found.problems) == (True, 3, ())
    assert [(one.kind, one.name) for one in found.items] == [
        (DriftKind.DELETED, "second"),
        (DriftKind.CHANGED, "first"),
        (DriftKind.CHANGED, "locked"),
    ]
    assert [(one.path, one.before, one.after) for one in found.items[1].properties] == [("content", "1", "by hand")]
    assert "hunter" not in found.model_dump_json()
    assert list(drift_lines(found)) == [
        "drift banksman:files:File second: is gone",
        "drift banksman:files:File first: content 1 → by hand",
        "    content 1 → by hand",
        "drift banksman:files:File locked: content [secret] → [secret] (another value)",
        "    content [secret] → [secret] (another value)",
    ]


def test_where_nothing_drifted_nothing_is_found(deployed: Stack, tmp_path: Path) -> None:
    assert report(look(deployed.copy(tmp_path / "stack"))) == DriftReport(looked_at=3)


def test_every_way_to_refresh_finds_the_same(stack: Stack, by_hand: Ran) -> None:
    (stack.files / "first.txt").write_text("by hand")
    looked = report(by_hand)
    previewed = report(stack.preview("--refresh").must())
    written = report(stack.logged("refresh", "--yes").must())
    assert looked == previewed == written
    assert len(looked.items) == 1


def test_only_what_is_new_since_the_last_look_is_worth_a_message(stack: Stack, by_hand: Ran) -> None:
    (stack.files / "first.txt").write_text("by hand")
    one = report(by_hand)
    assert [item.name for item in since_last(one, ()).new] == ["first"]
    again = report(look(stack))
    assert since_last(again, one.fingerprints).new == ()
    assert [item.name for item in since_last(again, one.fingerprints).still] == ["first"]
    (stack.files / "first.txt").write_text("by another hand")
    (stack.files / "second.txt").unlink()
    two = report(look(stack))
    assert [item.name for item in since_last(two, one.fingerprints).new] == ["second", "first"]
    assert since_last(two, one.fingerprints).gone == one.fingerprints
    incomplete = two.model_copy(update={"complete": False})
    assert since_last(incomplete, one.fingerprints).gone == frozenset()


def test_the_tail_of_a_long_value_makes_it_new(stack: Stack) -> None:
    (stack.files / "first.txt").write_text("x" * 5000 + "a")
    one = report(look(stack))
    (stack.files / "first.txt").write_text("x" * 5000 + "b")
    two = report(look(stack))
    assert one.items[0].properties == two.items[0].properties
    assert len(since_last(two, one.fingerprints).new) == 1


def test_a_look_that_fails_proves_nothing(stack: Stack) -> None:
    (stack.files / "second.txt").unlink()
    (stack.files / "second.txt").mkdir()
    ran = stack.logged("refresh", "--preview-only")
    found = report(ran)
    assert not found.complete
    assert "is a directory" in found.problems[0]
    cut = find_drift(read_events(look_events := ran.events[: len(ran.events) // 2]), today=TODAY)
    assert look_events
    assert not cut.complete


DYNAMIC = """
import json, pathlib
from pulumi.dynamic import CreateResult, ReadResult, Resource, ResourceProvider

class Provider(ResourceProvider):
    def create(self, props):
        pathlib.Path(props["path"]).write_text(props["text"])
        return CreateResult(id_="made", outs=dict(props))
    def read(self, id_, props):
        return ReadResult(id_, {**props, "text": pathlib.Path(props["path"]).read_text()})

class Made(Resource):
    def __init__(self, name, path):
        super().__init__(Provider(), name, {"path": path, "text": "1"})

Made("made", PATH)
"""


def test_a_provider_that_reads_and_does_not_compare_is_compared_here(stack: Stack, tmp_path: Path) -> None:
    """Pulumi itself calls such a resource unchanged, and `--expect-no-changes` is content."""
    if not (stack.tools.path / "pulumi-resource-pulumi-python").exists():
        pytest.skip("Python's dynamic providers are not in the module cache of Go")
    made = tmp_path / "made.txt"
    stack.write(DYNAMIC.replace("PATH", repr(str(made))))
    ambient = Stack(stack.folder, stack.tools, {"PULUMI_IGNORE_AMBIENT_PLUGINS": "false"})
    ambient.preview().must()
    ambient.up().must()
    made.write_text("by hand")
    ran = ambient.logged("refresh", "--preview-only", "--expect-no-changes").must()
    found = report(ran).items
    assert [(one.name, one.seen_by) for one in found] == [("made", SeenBy.COMPARISON)]
    assert [(one.path, one.before, one.after) for one in found[0].properties] == [("text", "1", "by hand")]


def noise(**more: object) -> Noise:
    entry = {"urn": FIRST, "properties": ["content"], "reason": "somebody edits it by hand", "until": TODAY}
    return Noise.model_validate({"noise": [{**entry, **more}]})


def test_known_noise_is_quiet_until_its_day_and_no_longer(by_hand: Ran) -> None:
    quiet = report(by_hand, noise())
    assert quiet.items == ()
    assert [(one.item.name, one.reason, one.until) for one in quiet.quiet] == [
        ("first", "somebody edits it by hand", TODAY)
    ]
    over = noise(until=date(2026, 11, 20))
    late = report(by_hand, over)
    assert [one.name for one in late.items] == ["first"]
    assert late.expired == over.noise
    assert any(line.startswith("no longer quiet since 2026-11-20") for line in drift_lines(late))
    other = noise(properties=["path"])
    assert [one.name for one in report(by_hand, other).items] == ["first"]
    assert report(by_hand, other).unused == other.noise


def test_a_deleted_resource_is_never_noise(stack: Stack) -> None:
    (stack.files / "first.txt").unlink()
    assert [one.kind for one in report(look(stack), noise(properties=["content", "path"])).items] == [DriftKind.DELETED]


GOOD = """
noise:
  - urn: urn:pulumi:prod::shop::aws:ecs/service:Service::web
    properties: [desiredCount, tags]
    reason: the autoscaler owns the count
    until: 2027-03-01
"""


def test_a_noise_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "noise.yaml"
    path.write_text(GOOD)
    entry = load_noise(path).noise[0]
    assert entry.until == date(2027, 3, 1)
    assert entry.covers("tags.owner")
    assert entry.covers('tags["a.b"]')
    assert not entry.covers("tagset")


@pytest.mark.parametrize(
    ("before", "after", "problem"),
    [
        ("reason: the autoscaler owns the count", "reason: why", ":5: noise.0.reason: String should have at least 10"),
        ("    until: 2027-03-01\n", "", ":3: noise.0.until: Field required"),
        ("2027-03-01", "soon", ":6: noise.0.until: Input should be a valid date"),
        ("Service::web", "Service::*", ":3: noise.0.urn: Value error, is a pattern; write the whole address"),
        ("urn:pulumi:prod::shop", "prod", ":3: noise.0.urn: Value error, 'prod::aws"),
        ("[desiredCount, tags]", "[]", ":4: noise.0.properties: Tuple should have at least 1 item"),
        ("reason:", "because:", ":5: noise.0.because: Extra inputs are not permitted"),
        ("[desiredCount, tags]", "[tags, tags]", "is listed twice; keep the entry whose reason is right"),
        ("noise:", "noise: &x", "anchors and aliases"),
        ("    until", "    reason: again and again\n    until", "the key 'reason' is already on line 5"),
    ],
)
def test_a_noise_file_that_is_wrong_is_refused_with_line_and_reason(
    tmp_path: Path, before: str, after: str, problem: str
) -> None:
    path = tmp_path / "noise.yaml"
    assert before in GOOD
    text = GOOD.replace(before, after)
    path.write_text(text if "&x" not in after else text + "  - *x\n")
    with pytest.raises(FileProblem) as refused:
        load_noise(path)
    assert problem in str(refused.value)


def test_a_noise_file_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(FileProblem, match="cannot be read: No such file"):
        load_noise(tmp_path / "none.yaml")


def test_the_drifted_value_of_a_program_that_names_it_a_secret_stays_masked(stack: Stack) -> None:
    assert "require_secret" in PROGRAM
    (stack.files / "locked.txt").write_text("plain-canary-by-hand")
    assert "plain-canary" not in report(look(stack)).model_dump_json()
