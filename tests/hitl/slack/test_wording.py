"""What titles and questions say of a plan: the thing itself, short, and never only its beginning."""

import pytest

from activities.catalogue import steps
from hitl.approval.plan import Change, Cost, Plan, Resource, Risk
from hitl.protocol import Effect
from hitl.slack.wording import cost, counted, middle, question, said, subject, worst_first


def plan(name: str, *more: Change, **changes: object) -> Plan:
    things = [Resource(kind="git branch", name=name, change=Change.DELETE)]
    things += [Resource(kind="git commit", name="c0ffee", change=one) for one in more]
    given: dict[str, object] = {
        "action": "github.delete_branch",
        "parameters": {"repository": "acme/shop", "branch": name},
        "resources": tuple(things),
        "summary": ("Delete it",),
        "risk": Risk.HIGH,
    }
    return Plan.model_validate(given | changes)


def test_a_title_names_what_the_step_is_told_and_not_what_the_goal_says_of_it() -> None:
    told: dict[str, object] = {"repository": "acme/shop", "branch": "production-data"}
    assert question(plan("acme/shop tidy-comment", parameters=told), 150) == (
        "Delete branch production-data of acme/shop?"
    )
    named = {"resource": "DeleteBranch,OpenPullRequest", "repository": "acme/shop"}
    plan_of_goals = plan("step delete", action="agent.run_plan", parameters=named)
    assert question(plan_of_goals, 100) == "Run plan DeleteBranch, OpenPullRequest of acme/shop?"
    assert subject(plan("postgres:Role shop", action="neon.drop_role", parameters={})) == "postgres:Role shop"


def test_a_stack_is_known_by_its_project() -> None:
    names = {"repository": "acme/infra", "project": "shop", "stack": "prod"}
    assert said(plan("aws:x", action="pulumi.update_stack", parameters=names), 150) == (
        "Update stack shop/prod of acme/infra"
    )


def test_a_merge_names_what_goes_where() -> None:
    told: dict[str, object] = {"repository": "acme/shop", "number": 7, "branch": "main", "method": "merge"}
    assert question(plan("acme/shop #8", action="github.merge_pull_request", parameters=told), 150) == (
        "Merge pull request #7 into main of acme/shop?"
    )


@pytest.mark.parametrize("name", [step.name for step in steps().values() if step.effect is Effect.DESTRUCTIVE])
def test_no_title_of_a_step_that_destroys_follows_what_no_step_reads(name: str) -> None:
    stack: dict[str, object] = {"project": "shop", "stack": "production", "branch": "shop/staging"}
    branch: dict[str, object] = {"branch": "shop/production", "project": "shop", "stack": "staging"}
    told = {"repository": "acme/infra", **(stack if name.startswith("pulumi.") else branch)}
    shown = question(plan("shop/staging", action=name, parameters=told), 150)
    assert shown.endswith(" shop/production of acme/infra?")


@pytest.mark.parametrize("most", [100, 150])
def test_a_long_name_keeps_both_its_ends(most: int) -> None:
    shown = question(plan("release-" + "x" * 400 + "-production"), most)
    assert len(shown) <= most
    assert shown.startswith("Delete branch release-x")
    assert shown.endswith("x-production of acme/shop?")


def test_what_hides_is_written_out() -> None:
    shown = said(plan("old", parameters={"repository": "acme/\u202eshop"}), 150)
    assert "\u202e" not in shown


def test_what_the_plan_wrote_out_before_is_not_written_out_again() -> None:
    shown = said(plan("shop\\u202egnp", action="neon.drop_role", parameters={}), 150)
    assert shown == "Drop role shop\\u202egnp"


def test_changes_come_worst_first_with_all_their_counts() -> None:
    found = plan("b", Change.CREATE, Change.REPLACE, Change.CREATE).resources
    assert counted(found) == "It names 4 resources: 1 to replace, 1 to delete, 2 to create."
    assert [line.partition(" ")[0] for line in worst_first(found)] == ["replace", "delete", "create", "create"]


def test_small_words() -> None:
    assert middle("abcdefghij", 5) == "ab…ij"
    assert (cost(None), cost(Cost(usd_cents=123456, per="hour"))) == ("none stated", "$1,234.56 an hour")
