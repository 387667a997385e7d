"""What began a job, as people look for it in the console: of every event that can begin one, and of no other."""

import pytest

from hitl.github.events import AnyEvent, IssuesEvent, PushEvent
from hitl.github.happenings import trigger_of
from workflows.github.job_contracts import JobTrigger

SHOP = {"full_name": "acme/shop", "id": 1}


def issue(action: str) -> AnyEvent:
    return IssuesEvent.model_validate({"action": action, "repository": SHOP, "issue": {"number": 7}})


def push() -> AnyEvent:
    return PushEvent.model_validate(
        {"repository": SHOP, "ref": "refs/heads/main", "before": "a" * 40, "after": "b" * 40}
    )


@pytest.mark.parametrize(
    ("event", "trigger"),
    [
        (issue("labeled"), JobTrigger.LABEL),
        (issue("opened"), JobTrigger.ISSUE),
        (issue("closed"), None),
        (push(), JobTrigger.PUSH),
    ],
)
def test_a_label_is_a_trigger_of_its_own(event: AnyEvent, trigger: JobTrigger | None) -> None:
    assert trigger_of(event) is trigger
