"""The order of effects and phases, and what a step may say about itself."""

import subprocess
import sys

import pytest
from pydantic import ValidationError

from hitl.protocol import Denial, Effect, HasPolicyContext, Phase, PolicyContext, RefusalReason


def test_a_phase_permits_its_effects_and_no_more() -> None:
    permitted = {phase: [effect for effect in Effect if phase.permits(effect)] for phase in Phase}
    assert permitted == {
        Phase.READ_ONLY: [Effect.READ],
        Phase.NON_CRITICAL_WRITES: [Effect.READ, Effect.WRITE],
        Phase.PRODUCTION: [Effect.READ, Effect.WRITE, Effect.DESTRUCTIVE],
    }


def test_a_context_comes_from_owner_and_name() -> None:
    context = PolicyContext.of_repository("acme/shop")
    assert context.fields() == {"repository_owner": "acme", "repository_name": "shop"}
    assert PolicyContext().fields() == {}


@pytest.mark.parametrize("name", ["", "acme", "acme/", "/shop", "a/b/c"])
def test_what_is_not_owner_and_name_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="is not OWNER/NAME"):
        PolicyContext.of_repository(name)


def test_a_context_takes_no_field_that_rules_cannot_match() -> None:
    with pytest.raises(ValidationError):
        PolicyContext.model_validate({"repository": "acme/shop"})


def test_a_request_need_not_inherit_anything_to_say_what_it_touches() -> None:
    class Request:
        def policy_context(self) -> PolicyContext:
            return PolicyContext()

    assert isinstance(Request(), HasPolicyContext)
    assert not isinstance(object(), HasPolicyContext)


def test_a_denial_survives_the_way_through_a_history() -> None:
    denial = Denial(
        reason=RefusalReason.PHASE,
        action="github.open_pull_request",
        effect=Effect.WRITE,
        environment="live",
        phase=Phase.READ_ONLY,
        explanation="No.",
    )
    assert Denial.model_validate_json(denial.model_dump_json()) == denial


def test_workflow_code_may_import_effects_errors_and_protocol_without_loading_anything_heavy() -> None:
    script = (
        "import sys, activities.step, activities.guard.error_types, hitl.protocol;"
        "heavy = {'prometheus_client', 'structlog', 'yaml', 'httpx', 'hvac', 'github', 'opentelemetry.sdk'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
