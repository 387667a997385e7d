"""What may be said in a call of a tool, before anything is started."""

import pytest
from pydantic import ValidationError

from tests.workflows.coding.scenarios import ANSWERS
from workflows.coding.goals import EditRepositoryInput, ToolCall


def test_the_steps_of_a_session_are_all_played() -> None:
    assert {step.name for step in ANSWERS} >= {
        *("sandbox.open_session", "sandbox.list_files", "sandbox.read_text", "sandbox.search_files"),
        *("sandbox.write_file", "sandbox.run_program", "sandbox.keep_changes", "sandbox.close_session"),
    }


@pytest.mark.parametrize(
    ("call", "complaint"),
    [
        ({"tool": "read"}, "a call of 'read' needs 'path'"),
        ({"tool": "run", "command": ()}, "a call of 'run' needs 'command'"),
        ({"tool": "list", "content": "x"}, "a call of 'list' has no 'content'; it takes path"),
        ({"tool": "write", "path": "a"}, "needs exactly one of"),
        ({"tool": "write", "path": "a", "content": "x", "delete": True}, "needs exactly one of"),
        ({"tool": "write", "path": "a\nb", "content": "x"}, "are one line"),
        ({"tool": "write", "path": "a", "replace": ""}, "'replace' is not empty"),
        ({"tool": "delete", "path": "a"}, "Input should be 'list', 'read', 'search', 'write' or 'run'"),
    ],
)
def test_a_call_that_says_too_little_or_too_much_is_refused(call: dict[str, object], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        ToolCall.model_validate(call)


def test_what_is_written_is_bounded_and_a_pattern_is_one() -> None:
    big = ToolCall(tool="write", path="a", content="x" * 150_000)
    with pytest.raises(ValidationError, match="at most 262144 are taken"):
        EditRepositoryInput(repository="acme/shop", calls=(big, big))
    with pytest.raises(ValidationError, match="is no pattern for paths"):
        EditRepositoryInput(repository="acme/shop", calls=(ToolCall(tool="list"),), write=("/etc/**",))


def test_the_same_change_has_the_same_id_and_another_has_another() -> None:
    one = EditRepositoryInput(repository="acme/shop", calls=(ToolCall(tool="list"),))
    other = EditRepositoryInput(repository="acme/shop", calls=(ToolCall(tool="list", path="docs"),))
    assert one.business_key() == EditRepositoryInput.model_validate(one.model_dump()).business_key()
    assert one.business_key() != other.business_key()
    assert one.summary() == "Work on acme/shop with 1 call of tools"
