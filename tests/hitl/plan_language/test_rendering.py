"""What people read: every input in full, where it came from, and what is not what it looks like."""

from hitl.plan_language.language import goal_plan_digest, read_plan
from hitl.plan_language.rendering import bound_lines, draft_lines
from hitl.protocol import Effect
from tests.hitl.plan_language.planning import FOUND, MOTTO, OPEN, bound, delete, plan_of, step
from workflows.agent.asking import plan_to_approve
from workflows.agent.described import described


def test_a_plan_that_is_not_bound_yet_shows_its_references() -> None:
    value = plan_of(act=[step(OPEN, when={"$from": "motto.size", "is": "<", "to": 9}), delete("оld")])
    lines = draft_lines(read_plan(value), goal_plan_digest(value), described(), Effect.DESTRUCTIVE)
    assert lines[0] == "Copy the motto"
    assert lines[2].startswith("Strongest effect: destructive; people approve it first, and each step that destroys")
    assert "   only when motto.size < 9" in lines
    assert "   /files/0/content: ← motto.content" in lines
    assert '   /branch: "оld"  [not plain ASCII: U+043E CYRILLIC SMALL LETTER O]' in lines
    assert "2. gone: DeleteBranch, which DESTROYS; it plans and asks people for itself as well" in lines


def test_a_bound_plan_shows_every_input_in_full_with_its_origin() -> None:
    long = "x" * 5000 + "\u202eevil\nnext"
    value = plan_of(
        act=[
            OPEN,
            step(OPEN, id="b", when={"$from": "motto.size", "is": "<", "to": 0}),
            delete({"$from": "motto.encoding"}),
        ]
    )
    plan = bound(value, {"motto": {**FOUND, "content": long}}).plan
    assert plan is not None
    text = "\n".join(bound_lines(plan))
    assert "x" * 5000 + "\\u202eevil\\nnext" in text
    assert "[from motto.content: TEXT THAT A STRANGER MAY HAVE WRITTEN; not plain ASCII: U+202E" in text
    assert '/branch: "utf-8"  [from motto.encoding: a closed value]' in text
    assert "Left out: b, for motto.size < 0 does not hold: it is 5" in text
    assert plan_to_approve(plan).parameters["digest"] == plan.digest()
    assert MOTTO["id"] == "motto"
