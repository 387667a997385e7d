"""What our own App did is told from all else, and by no field or header is anything dropped that begins something."""

import json
from typing import Any, Final

import pytest

from hitl.github.deciding import Ignore, decide
from hitl.github.deputy import voided_by
from hitl.github.events import AnyEvent, AppMention, CheckRunEvent, CheckRunMention, RequestedAction, read_event
from hitl.github.ours import TARGET, TARGET_TYPE, Ours
from tests.hitl.github.deciding_cases import ALICE, BOT, NEW, SHOP, comment, facts, policy, pull, push
from tests.hitl.github.test_events import published, published_payloads

_APP: Final = AppMention(id=77, slug="banksman")
_OF: Final = {TARGET: "77", TARGET_TYPE: "integration"}
_OTHER: Final = BOT.model_copy(update={"login": "renovate[bot]", "id": 98})


def written(by: AppMention | None = _APP, *, action: str = "created") -> AnyEvent:
    said = comment(by=BOT, action=action)
    return said.model_copy(update={"comment": said.comment.model_copy(update={"app": by, "by_app": by is not None})})


def check(action: str, *, app: AppMention = _APP, pressed: str | None = None) -> CheckRunEvent:
    return CheckRunEvent(
        action=action,
        sender=ALICE,
        repository=SHOP,
        check_run=CheckRunMention(id=1, head_sha=NEW, app=app),
        requested_action=RequestedAction(identifier=pressed) if pressed else None,
    )


@pytest.mark.parametrize("event", [written(), written(action="edited"), check("created"), check("completed")])
def test_what_the_app_wrote_is_its_own(event: AnyEvent) -> None:
    assert Ours().is_own(event, _OF)


def test_its_labels_are_told_by_the_name_that_it_has_where_it_writes() -> None:
    ours, label = Ours(), pull("labeled", by=BOT)
    assert not ours.is_own(label, _OF), "nobody knows yet what it is called"
    assert ours.is_own(check("created"), _OF)
    assert ours.is_own(label, _OF)
    assert not ours.is_own(pull("labeled", by=_OTHER), _OF)
    assert not ours.is_own(pull("labeled", by=BOT.model_copy(update={"type": "User"})), _OF)


@pytest.mark.parametrize(
    "event",
    [
        written(AppMention(id=78, slug="renovate")),
        written(None),
        check("created", app=AppMention(id=78)),
        check("requested_action", pressed="approve"),
        check("rerequested"),
        comment(),
        pull("labeled", by=ALICE),
        pull("opened", by=BOT),
        pull("synchronize", by=BOT, author=_OTHER),
        push(by=BOT),
    ],
)
def test_what_another_did_or_somebody_waits_for_is_not(event: AnyEvent) -> None:
    ours = Ours()
    assert ours.is_own(check("created"), _OF)
    assert not ours.is_own(event, _OF)


@pytest.mark.parametrize(
    "headers",
    [{}, {TARGET: "77"}, {TARGET_TYPE: "integration"}, _OF | {TARGET_TYPE: "repository"}, _OF | {TARGET: "0x4d"}],
)
def test_without_the_header_of_an_app_nothing_is_its_own(headers: dict[str, str]) -> None:
    assert not Ours().is_own(written(), headers)


def test_a_person_in_whose_name_an_app_writes_is_never_dropped_as_the_app() -> None:
    theirs = written().model_copy(update={"sender": ALICE})
    assert not Ours().is_own(theirs, _OF)


@published
def test_nothing_that_begins_anything_is_dropped_whatever_the_fields_and_the_headers_say() -> None:
    """Every published payload, said to be by every kind of sender through the App that the header names."""
    ours, dropped = Ours(), 0
    assert ours.is_own(check("created"), _OF)
    for name, payload in published_payloads():
        for sender in (payload.get("sender"), {"login": "banksman[bot]", "id": 5, "type": "Bot"}):
            event = read_event(name, json.dumps(_forged(payload, sender)).encode())
            if event is None or not ours.is_own(event, _OF):
                continue
            dropped += 1
            assert isinstance(decide(event, policy(), facts()), Ignore)
            assert voided_by(event) is None
    assert dropped


def _forged(payload: dict[str, Any], sender: object) -> dict[str, Any]:
    app = {"id": _APP.id, "slug": _APP.slug}
    told: dict[str, Any] = {**payload, "sender": sender}
    for name, field in (("comment", "performed_via_github_app"), ("check_run", "app")):
        if name in told:
            told[name] = {**told[name], field: app}
    return told
