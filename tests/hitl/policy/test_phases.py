"""The phases as the roll-out page tells them: of every step that there is, under the most generous rules."""

import pytest

from activities.catalogue import steps
from hitl.policy.rules import Allow, Deny, Environment, Policy, Rule, evaluate
from hitl.protocol import Effect, Phase, PolicyContext, RefusalReason

GENEROUS = (Rule(name="environments.live.actions[0]", line=1, verdict="allow", action="*"),)
PERMITTED = {
    Phase.READ_ONLY: {Effect.READ},
    Phase.NON_CRITICAL_WRITES: {Effect.READ, Effect.WRITE},
    Phase.PRODUCTION: {Effect.READ, Effect.WRITE, Effect.DESTRUCTIVE},
}


TELLING = {"hitl.tell_answer", "hitl.tell_drift", "hitl.tell_findings", "hitl.tell_lease", "hitl.tell_parked"}


def permitted(phase: Phase, name: str, effect: Effect) -> bool:
    return effect in PERMITTED[phase] or name in TELLING


def verdict(phase: Phase, action: str, effect: Effect, rules: tuple[Rule, ...]) -> Allow | Deny:
    policy = Policy(source="policy.yaml", environments={"live": Environment(phase=phase, rules=rules)})
    return evaluate(policy, "live", action=action, effect=effect, context=PolicyContext())


@pytest.mark.parametrize("phase", Phase)
def test_no_rule_allows_a_step_that_the_phase_does_not_permit(phase: Phase) -> None:
    assert {one.effect for one in steps().values()} == set(Effect), "there are steps of every effect"
    for name, step in steps().items():
        found = verdict(phase, name, step.effect, GENEROUS)
        assert isinstance(found, Allow) is permitted(phase, name, step.effect), name
        if isinstance(found, Deny):
            assert found.reason is RefusalReason.PHASE
            assert "an operator can raise the phase in the policy file" in found.explanation


@pytest.mark.parametrize("phase", Phase)
def test_without_a_rule_a_phase_permits_what_can_be_undone_and_nothing_that_cannot(phase: Phase) -> None:
    for name, step in steps().items():
        allowed = isinstance(verdict(phase, name, step.effect, ()), Allow)
        assert allowed is (permitted(phase, name, step.effect) and step.effect is not Effect.DESTRUCTIVE), name


def test_people_are_told_in_every_phase_unless_a_rule_denies_it() -> None:
    assert {name for name in steps() if name.startswith("hitl.tell_")} == TELLING
    silent = (Rule(name="environments.live.actions[0]", line=1, verdict="deny", action="hitl.tell_parked"),)
    for phase in Phase:
        told = verdict(phase, "hitl.tell_parked", Effect.WRITE, ())
        assert isinstance(told, Allow)
        assert told.explanation == f"'hitl.tell_parked' only tells people, and phase {phase} of 'live' permits it."
        assert isinstance(verdict(phase, "hitl.tell_parked", Effect.WRITE, silent), Deny)


@pytest.mark.parametrize(
    ("action", "effect"),
    [("hitl.tell_parked", Effect.DESTRUCTIVE), ("github.tell_parked", Effect.WRITE), ("hitl.telling", Effect.WRITE)],
)
def test_nothing_else_passes_for_telling_people(action: str, effect: Effect) -> None:
    assert isinstance(verdict(Phase.READ_ONLY, action, effect, GENEROUS), Deny)
