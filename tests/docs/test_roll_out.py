"""What the page on the roll-out claims: its tables are the code's, and its changes lead from phase to phase."""

from dataclasses import asdict
from pathlib import Path

import pytest

from activities.catalogue import steps
from hitl.policy.file import load_policy
from hitl.policy.rules import Allow, Policy, RollOut, evaluate
from hitl.protocol import Effect, Phase, PolicyContext
from tests.docs.markdown import ROOT, blocks
from tests.workers.rollout.writing import report
from workers.rollout.told import markdown

PAGE = ROOT / "docs/how-to/roll-out.md"
ACME = PolicyContext.of_repository("acme/shop")
OTHERS = PolicyContext.of_repository("other/shop")


def rows(head: str) -> list[list[str]]:
    """A table by its first line, without markup."""
    text = PAGE.read_text(encoding="utf-8")
    table = text[text.index(head) :].partition("\n\n")[0].splitlines()[2:]
    return [[cell.strip(" `") for cell in line.strip("|").split("|")] for line in table]


def stages(folder: Path) -> list[Policy]:
    """The policy as it begins, and after each of the page's changes."""
    begin = next(one.text for one in blocks(PAGE) if one.info == "yaml begin.yaml")
    changes = [one.text for one in blocks(PAGE) if one.info == "diff"]
    made = [_loaded(folder, begin)]
    for change in changes:
        begin = changed(begin, change)
        made.append(_loaded(folder, begin))
    return made


def changed(text: str, change: str) -> str:
    """A text after a change, whose context and removed lines must stand in it exactly so."""
    lines = change.splitlines()
    old = "".join(f"{line[1:]}\n" for line in lines if line[0] in " -")
    new = "".join(f"{line[1:]}\n" for line in lines if line[0] in " +")
    # Between a phase that is replaced and lines that follow it there may be others, which stay.
    first, rest = old.partition("\n")[0] + "\n", old.partition("\n")[2]
    assert text.count(first) == 1, first
    if not rest:
        return text.replace(first, new)
    assert text.count(old) == 1, old
    return text.replace(old, new)


def _loaded(folder: Path, text: str) -> Policy:
    path = folder / "policy.yaml"
    path.write_text(text, encoding="utf-8")
    return load_policy(path)


def allowed(policy: Policy, action: str, context: PolicyContext) -> bool:
    effect = steps()[action].effect
    return isinstance(evaluate(policy, "live", action=action, effect=effect, context=context), Allow)


def test_the_phases_are_those_of_the_guard() -> None:
    told = {phase: dict(zip(Effect, effects, strict=True)) for phase, *effects, _ in rows("| phase | reads |")}
    assert told == {
        phase.value: {effect: "yes" if phase.permits(effect) else "no" for effect in Effect} for phase in Phase
    }


def test_the_thresholds_are_those_of_the_report() -> None:
    assert {key: int(default) for key, default, _ in rows("| key | default |")} == asdict(RollOut())


def test_each_change_is_a_valid_policy_of_the_next_phase(tmp_path: Path) -> None:
    assert [one.environments["live"].phase for one in stages(tmp_path)] == list(Phase)


@pytest.mark.parametrize(
    ("action", "context", "in_phases"),
    [
        ("github.read_file", OTHERS, [True, True, True]),
        ("github.open_pull_request", ACME, [False, True, True]),
        ("github.open_pull_request", OTHERS, [False, False, False]),
        ("github.delete_branch", ACME, [False, False, True]),
        ("github.delete_branch", OTHERS, [False, False, False]),
        ("pulumi.update_stack", ACME, [False, False, False]),
    ],
)
def test_what_the_page_says_is_allowed_in_each_phase(
    tmp_path: Path, action: str, context: PolicyContext, in_phases: list[bool]
) -> None:
    assert [allowed(policy, action, context) for policy in stages(tmp_path)] == in_phases


def test_the_example_is_what_a_report_says() -> None:
    made = report(wrong=3, phase=Phase.READ_ONLY)
    example = next(one.text for one in blocks(PAGE) if one.text.startswith("# Roll-out"))
    assert markdown(made).startswith(example)
