"""Every goal of the catalogue by its example, in an order in which each finds what it needs.

Whoever adds a goal gives it a place in `PLACES`; `tests/observability/test_every_goal.py` names those that have none.
What a goal's machine must have is told by its declaration (`needs`).
"""

import json
import subprocess
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeAlias

from deploy.local.demo.features import MANIFEST
from deploy.local.platform.consumers import login_wanted
from tests.stack.approving import run_approved
from tests.stack.running import Running, eventually
from workflows.catalogue import GOALS
from workflows.manifest.reading import read_manifest
from workflows.neon.goals import ISSUE_NEON_LOGIN
from workflows.serving.goals import SERVE_MODEL

_COMING: Final = 1500.0
"""Seconds: the first time on a machine, images are built."""
_LAUNCHED: Final = 180.0
_ENDED: Final = 200.0
_LONGEST: Final = 900.0

Ended: TypeAlias = subprocess.CompletedProcess[str]
Way: TypeAlias = Callable[[Running, str, Mapping[str, Any], str], Ended]
"""Runs a goal, by its name, its input and its id, to its end; what `banksman run --wait --json` ended with."""


def approved(running: Running, goal: str, given: Mapping[str, Any], goal_id: str) -> Ended:
    """Whatever people are asked, they approve."""
    return run_approved(running, goal, given, goal_id=goal_id, seconds=_LONGEST)


def until_its_lease_ends(running: Running, goal: str, given: Mapping[str, Any], goal_id: str) -> Ended:
    """Somebody ends what it holds, or what its machine's goal holds, as soon as it is there."""
    holder = f"{goal_id}/gpu" if goal == SERVE_MODEL.name else goal_id
    with ThreadPoolExecutor() as beside:
        ending = beside.submit(run_approved, running, goal, given, goal_id=goal_id)
        eventually(
            lambda: ending.done() or known_gpu(running, holder).get("address"),
            seconds=_LAUNCHED,
            what=f"what {goal} holds",
        )
        if not ending.done():
            lease = known_gpu(running, holder)["lease"]
            ended = running.banksman("leases", "end", lease, "--wait", seconds=_ENDED)
            assert ended.returncode == 0, ended.stdout + ended.stderr
        return ending.result()


def and_given_back(running: Running, goal: str, given: Mapping[str, Any], goal_id: str) -> Ended:
    """The state that was there before is restored once more, for the goals that come after."""
    done = approved(running, goal, given, goal_id)
    before = (json.loads(done.stdout).get("result") or {}).get("state_before")
    if before:
        again = approved(running, goal, {**given, "exported": before}, f"{goal_id}-back")
        assert again.returncode == 0, again.stdout + again.stderr
    return done


def rehearsed_first(running: Running, goal: str, given: Mapping[str, Any], goal_id: str) -> Ended:
    """Rehearsed, with all that its service needs, and then for real by that list: nothing on it is a surprise."""
    issue_logins(running, given)
    rehearsed = running.banksman("rehearse", goal, "--input", json.dumps(given), "--id", goal_id, "--json", seconds=400)
    assert rehearsed.returncode == 0, rehearsed.stderr
    return by_its_list(running, goal, given, goal_id, json.loads(rehearsed.stdout)["rehearsal"])


def by_its_list(
    running: Running, goal: str, given: Mapping[str, Any], goal_id: str, rehearsal: Mapping[str, Any]
) -> Ended:
    """For real; nobody is asked about what was not rehearsed."""
    done = approved(running, goal, {**given, "rehearsal": rehearsal}, goal_id)
    assert "allow_surprise" not in done.stderr
    return done


def issue_logins(running: Running, given: Mapping[str, Any]) -> None:
    """Those by which a service reads its databases: no deployment holds one."""
    manifest = running.home / "examples" / given["repository"].rpartition("/")[2] / MANIFEST
    for need in read_manifest(manifest.read_bytes()).manifest.needs.neon:
        wanted = login_wanted(need)
        asked = wanted.model_dump(mode="json", exclude_unset=True)
        # Where the login lies follows from the goal's id.
        issued = approved(running, ISSUE_NEON_LOGIN.name, asked, wanted.business_key())
        assert issued.returncode == 0, issued.stdout + issued.stderr


PLACES: Final[Mapping[str, Way]] = {
    **dict.fromkeys(
        (
            *(
                "CopyRepository",
                "CopyState",
                "FlowStatus",
                "InspectGpus",
                "InspectRedis",
                "MapDependencies",
                "ReadFile",
                "ReadText",
                "ReconcileLeases",
                "ReportHealth",
            ),
            *("CreateNeonBranch", "IssueNeonLogin", "DeleteNeonBranch", "MigrateDatabase"),
            *("OpenPullRequest", "DeleteBranch", "RunInSandbox", "EditRepository", "SearchRepository", "CodingJob"),
            *("RunPlan", "AskFor", "Investigate", "RunFleet"),
            *("SwitchCollection", "ProvisionQdrant", "RemoveQdrant", "ProvisionRedis", "RemoveRedis", "PublishFlow"),
        ),
        approved,
    ),
    **dict.fromkeys(("LeaseGpu", "ServeModel"), until_its_lease_ends),
    # The life of one stack: what is looked at or changed must be there, and ends last.
    **dict.fromkeys(("PreviewAndUp", "InspectStack", "DetectDrift", "RollBackStack"), approved),
    "RestoreState": and_given_back,
    **dict.fromkeys(("UnlockStack", "DestroyStack"), approved),
    "DeployNewFeature": rehearsed_first,
}
"""How each goal is run, in the order in which they are."""
PLAIN: Final = tuple(goal.name for goal in GOALS if goal.needs != "stacks" and PLACES.get(goal.name) is approved)
"""Those that need nobody but people who approve, and no stack."""


def known_gpu(running: Running, goal_id: str) -> dict[str, Any]:
    """What `LeaseGpu` says of its machine; nothing while it cannot be asked."""
    done = running.temporal("workflow", "query", "--workflow-id", goal_id, "--type", "gpu", "--output", "json")
    return json.loads(done.stdout)["queryResult"][0] if done.returncode == 0 else {}


def why_not_here(running: Running, goal: str) -> str | None:
    """What this machine lacks that the goal needs; None where it can be run. What is coming is waited for."""
    needs = next(one.needs for one in GOALS if one.name == goal)
    if needs is None:
        return None
    eventually(lambda: running.state["parts"][needs]["state"] != "coming", seconds=_COMING, what=needs)
    part = running.state["parts"][needs]
    return None if part["state"] == "ready" else str(part["why"])


def run_example(running: Running, goal: str, goal_id: str) -> Ended:
    """The example of a goal, as its place says."""
    example = next(one.example for one in GOALS if one.name == goal)
    return PLACES[goal](running, goal, example.model_dump(mode="json", exclude_unset=True), goal_id)
