"""The page of the policy: what each rule says and is about, and what would happen. It changes nothing."""

from collections.abc import Mapping
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from activities.catalogue import steps
from hitl.console.access.visitors import Refused, Visitors
from hitl.console.pages import Pages
from hitl.console.policy.asked import ask
from hitl.console.policy.told import approvals_told, people_told, rules_told, triggers_told
from hitl.console.settings import ConsoleSettings
from hitl.gateway.decisions import PolicyInForce
from hitl.policy.rules import Policy
from hitl.policy.triggers import Permission, SlashCommand, Trigger
from hitl.protocol import Effect
from workflows.catalogue import GOALS

POLICY = "/policy"


class PolicyPages:
    """The route."""

    def __init__(self, settings: ConsoleSettings, policy: PolicyInForce, *, visitors: Visitors, pages: Pages) -> None:
        self._settings = settings
        self._policy = policy
        self._visitors = visitors
        self._pages = pages

    def routes(self) -> list[Route]:
        """The only one."""
        return [Route(POLICY, self._show, methods=["GET"])]

    async def _show(self, request: Request) -> Response:
        visitor, policy = self._visitors.visitor(request), self._policy.current()
        chosen = request.query_params.get("environment") or self._policy.environment
        if chosen not in policy.environments:
            raise Refused(HTTPStatus.NOT_FOUND, "No such environment", f"The policy names no environment {chosen!r}.")
        question = ask(policy, chosen, request.query_params)
        return self._pages.render(
            "policy.html",
            visitor,
            status=HTTPStatus.UNPROCESSABLE_ENTITY if question.problems else HTTPStatus.OK,
            **_told(policy, chosen),
            **_choices(),
            question=question,
            ours=self._policy.environment,
            since=self._policy.since,
            edited_at=self._settings.policy,
        )


def _told(policy: Policy, chosen: str) -> Mapping[str, object]:
    environment = policy.environments[chosen]
    return {
        "policy": policy,
        "chosen": chosen,
        "shown": environment,
        "permitted": {effect.value: environment.phase.permits(effect) for effect in Effect},
        "rules": rules_told(environment),
        "approvals": approvals_told(policy, chosen),
        "triggers": triggers_told(policy.github.rules),
        "people": people_told(policy.people),
    }


def _choices() -> Mapping[str, object]:
    return {
        "steps": list(steps()),
        "events": list(Trigger),
        "commands": list(SlashCommand),
        "permissions": list(Permission),
        "goals": [goal.name for goal in GOALS],
    }
