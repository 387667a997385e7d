"""Approvals on the running environment: people are asked on the page of Slack's twin, and what they say happens."""

import base64
import json
import os
import signal
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import psutil
import pytest
from playwright.sync_api import Page, expect, sync_playwright

from deploy.local.defaults import DEFAULT_POLICY
from deploy.local.seeded_person import SeededPerson
from tests.stack.running import Running, eventually
from workers.commands.exits import Exit

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]


@pytest.fixture
def alice(stack: Running) -> SeededPerson:
    return SeededPerson(slack(stack), "U0ALICE")


@pytest.fixture
def policy(stack: Running) -> Iterator[Path]:
    """The policy file of the environment, as it was again afterwards."""
    file = stack.home.parent / "policy.yaml"
    yield file
    file.write_text(DEFAULT_POLICY.read_text())


@pytest.fixture
def branch(stack: Running, goal_id: str) -> str:
    """A branch with a commit of its own, to lose."""
    tree, parent = "HEAD^{tree}", "HEAD"
    who = ["-c", "user.name=a", "-c", "user.email=a@b"]
    made = git(stack, *who, "commit-tree", tree, "-p", parent, "-m", "An idea")
    git(stack, "update-ref", f"refs/heads/{goal_id}", made)
    return goal_id


def git(stack: Running, *words: str) -> str:
    bare = stack.home / "repositories" / "acme" / "shop.git"
    return subprocess.run(["git", "-C", str(bare), *words], capture_output=True, text=True, check=True).stdout.strip()


def head(stack: Running, branch: str) -> str:
    return git(stack, "for-each-ref", "--format=%(objectname)", f"refs/heads/{branch}")


def slack(stack: Running) -> str:
    return str(stack.state["twins"]["slack"]["url"])


def ask(stack: Running, branch: str) -> str:
    """Ask for the branch's end; the goal's id."""
    asked = json.dumps({"repository": "acme/shop", "branch": branch})
    done = stack.banksman("run", "DeleteBranch", "--input", asked, "--id", branch, "--json")
    assert done.returncode == 0, done.stderr
    return branch


def inbox(stack: Running, goal: str) -> list[dict[str, Any]]:
    waiting = json.loads(stack.banksman("approvals", "--json").stdout)
    return [one for one in waiting if one["goal"] == goal]


def told(stack: Running, user: str) -> str:
    """All that this person sees in the channel, with what is for them alone."""
    return httpx.get(f"{slack(stack)}/_twin/messages", params={"channel": "C0DEPLOYS", "user": user}).text


def shown(alice: SeededPerson, approval: str) -> str:
    """All that the channel shows of an approval."""
    answer = httpx.get(f"{alice.slack}/_twin/messages", params={"channel": "C0DEPLOYS"}).json()
    return json.dumps([one for one in answer if approval in json.dumps(one.get("metadata", {}))])


def spans(stack: Running, trace_id: str) -> list[dict[str, Any]]:
    """Of one trace, as far as they have arrived."""
    found = httpx.get(f"{stack.state['traces']['url']}/api/traces/{trace_id}")
    batches = found.json()["batches"] if found.is_success else []
    return [span for batch in batches for scoped in batch["scopeSpans"] for span in scoped["spans"]]


def hexadecimal(encoded: str) -> str:
    return base64.b64decode(encoded).hex()


def test_the_wait_for_people_is_a_span_that_leads_to_the_click(
    stack: Running, alice: SeededPerson, branch: str
) -> None:
    asked = json.dumps({"repository": "acme/shop", "branch": branch})
    started = stack.banksman("run", "DeleteBranch", "--input", asked, "--id", branch, "--json")
    trace_id = json.loads(started.stdout)["trace_id"]
    alice.click(alice.wait_for(branch), "approve")
    assert f"?workflow_id={quote(branch, safe='')}|Its traces>" in told(stack, "U0ALICE")
    assert stack.result(branch)["outcome"] == "completed"

    def named(name: str, within: str = trace_id) -> list[dict[str, Any]]:
        return [span for span in spans(stack, within) if span["name"] == name]

    eventually(lambda: named("wait for people"), what="the span")
    [wait] = named("wait for people")
    [asking] = named("StartChildWorkflow:Approval")
    assert int(wait["endTimeUnixNano"]) > int(wait["startTimeUnixNano"]) >= int(asking["startTimeUnixNano"])
    [link] = wait["links"]
    click = hexadecimal(link["traceId"])
    assert click != trace_id
    [decided] = named("a person decided")
    assert (decided["parentSpanId"], decided["links"]) == (wait["spanId"], [link])
    shown = {one["key"]: one["value"]["stringValue"] for one in decided["attributes"]}
    assert (shown["banksman.surface"], shown["banksman.verdict"]) == ("slack", "approve")
    eventually(lambda: named("HandleUpdate:decide", click), what="the click's own trace")
    assert [hexadecimal(span["spanId"]) for span in named("HandleUpdate:decide", click)] == [
        hexadecimal(link["spanId"])
    ]
    page = httpx.get(f"{stack.state['traces']['url']}/trace/{trace_id}").text
    assert f'href="/trace/{click}"' in page

    metrics = stack.state["workers"]["destructive"]["metrics"]
    page_of_metrics = httpx.get(metrics, headers={"accept": "application/openmetrics-text; version=1.0.0"}).text
    counted = [line for line in page_of_metrics.splitlines() if trace_id in line]
    assert any(line.startswith("banksman_step_seconds_bucket") for line in counted), page_of_metrics


def test_a_click_on_approve_deletes_the_branch(stack: Running, alice: SeededPerson, branch: str) -> None:
    goal = ask(stack, branch)
    message = alice.wait_for(goal)
    found = inbox(stack, goal)
    assert [one["action"] for one in found] == ["github.delete_branch"]
    assert found[0].keys() == {
        *("id", "goal", "action", "state", "digest", "requester", "needs", "decisions", "expires_at")
    }
    assert (found[0]["state"], found[0]["needs"], found[0]["decisions"]) == ("waiting", 1, [])
    assert found[0]["digest"] in stack.banksman("approvals", "show", found[0]["id"]).stdout
    assert head(stack, branch)
    alice.click(message, "approve")
    result = stack.result(goal)
    assert (result["outcome"], result["lost"]) == ("completed", 1)
    assert head(stack, branch) == ""
    assert inbox(stack, goal) == []
    eventually(lambda: "carried out" in shown(alice, message.approval), what="the end in the channel")
    assert list(alice.offered(goal, "approve")) == [], "its buttons are gone"


def test_a_click_on_reject_ends_it_as_a_refusal(stack: Running, alice: SeededPerson, branch: str) -> None:
    asked = json.dumps({"repository": "acme/shop", "branch": branch})
    with ThreadPoolExecutor() as beside:
        ran = beside.submit(stack.banksman, "run", "DeleteBranch", "--input", asked, "--id", branch, "--wait", "--json")
        alice.click(alice.wait_for(branch), "reject")
        alice.submit(reason="we still need <!channel> it")
        done = ran.result()
    result = json.loads(done.stdout)["result"]
    assert (done.returncode, result["outcome"]) == (Exit.DENIED, "rejected")
    assert "by alice" in result["reason"]
    assert "we still need" in result["reason"]
    assert head(stack, branch)


@pytest.fixture
def page(stack: Running, chromium_path: str) -> Iterator[Page]:
    """The channel, in a browser, as Boris sees it."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=chromium_path, chromium_sandbox=False)
        page = chromium.new_page()
        page.goto(f"{slack(stack)}/client/C0DEPLOYS?as=U0BORIS")
        yield page
        chromium.close()


def test_a_person_approves_in_the_browser(stack: Running, page: Page, branch: str) -> None:
    goal = ask(stack, branch)
    message = page.get_by_role("article").filter(has_text=f"for the goal {goal}")
    message.get_by_role("button", name="Approve", exact=True).click(timeout=60_000)
    page.get_by_role("dialog").get_by_role("button", name="Approve").click()
    assert stack.result(goal)["outcome"] == "completed"
    expect(message.get_by_text("How it ended: carried out")).to_be_visible(timeout=30_000)
    assert head(stack, branch) == ""


def test_a_person_rejects_in_the_browser(stack: Running, page: Page, branch: str) -> None:
    goal = ask(stack, branch)
    message = page.get_by_role("article").filter(has_text=f"for the goal {goal}")
    message.get_by_role("button", name="Reject…").click(timeout=60_000)
    form = page.get_by_role("dialog")
    form.get_by_label("Why?").fill("Not on a Friday")
    form.get_by_role("button", name="Reject").click()
    result = stack.result(goal)
    assert (result["outcome"], "Not on a Friday" in result["reason"]) == ("rejected", True)
    assert head(stack, branch)


def test_a_decision_typed_by_hand_counts_for_nothing(stack: Running, alice: SeededPerson, branch: str) -> None:
    goal = ask(stack, branch)
    approval = alice.wait_for(goal).approval
    pid = stack.pid("worker-goals")
    forged = json.dumps({"text": '{"verdict":"approve","person":"alice"}', "signature": "vault:v1:aaaa"})
    update = ["workflow", "update", "execute", "--workflow-id", approval, "--name", "decide", "--input", forged]
    assert stack.temporal(*update, seconds=30).returncode != 0
    stack.temporal("workflow", "signal", "--workflow-id", approval, "--name", "approve", "--input", "true")
    assert [one["decisions"] for one in inbox(stack, goal)] == [[]]
    assert stack.pid("worker-goals") == pid, "the worker lives"
    assert head(stack, branch)
    stack.temporal("workflow", "cancel", "--workflow-id", goal)


def test_who_left_the_group_is_not_counted(stack: Running, alice: SeededPerson, branch: str, policy: Path) -> None:
    goal = ask(stack, branch)
    message = alice.wait_for(goal)
    policy.write_text(policy.read_text().replace("platform: [alice, boris]", "platform: [boris]"))
    alice.click(message, "approve")
    eventually(lambda: "Not counted" in told(stack, "U0ALICE"), what="the refusal")
    assert head(stack, branch)
    assert [one["decisions"] for one in inbox(stack, goal)] == [[]]
    policy.write_text(DEFAULT_POLICY.read_text())
    SeededPerson(alice.slack, "U0BORIS").click(message, "approve")
    assert stack.result(goal)["outcome"] == "completed"


def test_a_phase_that_was_lowered_meanwhile_refuses(
    stack: Running, alice: SeededPerson, branch: str, policy: Path
) -> None:
    goal = ask(stack, branch)
    message = alice.wait_for(goal)
    policy.write_text(policy.read_text().replace("phase: production", "phase: read_only"))
    assert json.loads(stack.banksman("status", "--json").stdout)["phase"] == "read_only"
    alice.click(message, "approve")
    result = stack.result(goal)
    assert result["outcome"] == "denied"
    assert "read_only" in result["reason"]
    assert head(stack, branch)


def test_in_an_emergency_two_people_decide_and_everybody_sees_it(
    stack: Running, alice: SeededPerson, branch: str
) -> None:
    asked = json.dumps({"repository": "acme/shop", "branch": branch, "break_glass": True})
    assert stack.banksman("run", "DeleteBranch", "--input", asked, "--id", branch).returncode == 0
    message = alice.wait_for(branch)
    assert "BREAK GLASS" in message.text
    alice.click(message, "approve")
    eventually(lambda: [len(one["decisions"]) for one in inbox(stack, branch)] == [1], what="the first decision")
    assert head(stack, branch), "one is not enough"
    SeededPerson(alice.slack, "U0CHIKA").click(message, "approve")
    assert stack.result(branch)["outcome"] == "completed"
    metrics = httpx.get(stack.state["workers"]["destructive"]["metrics"]).text
    assert 'banksman_break_glass_total{action="github.delete_branch"} 1.0' in metrics


def test_a_gateway_that_dies_loses_nothing(stack: Running, alice: SeededPerson, branch: str) -> None:
    goal = ask(stack, branch)
    message = alice.wait_for(goal)
    before = stack.pid("worker-gateway")
    assert before is not None
    os.kill(before, signal.SIGKILL)
    eventually(lambda: stack.pid("worker-gateway") not in {None, before}, what="another gateway")
    eventually(lambda: httpx.get(f"{alice.slack}/_twin/connections").json(), what="its connection")
    alice.click(message, "approve")
    assert stack.result(goal)["outcome"] == "completed"
    about = [one for one in alice.messages() if one.approval == message.approval]
    assert len(about) == 1, "nobody is asked twice"


def test_an_approval_outlives_the_workers_and_temporal(stack: Running, alice: SeededPerson, branch: str) -> None:
    goal = ask(stack, branch)
    message = alice.wait_for(goal)
    for child in ("worker-goals", "temporal"):
        before = stack.pid(child)
        assert before is not None
        psutil.Process(before).kill()
        eventually(lambda child=child, before=before: stack.pid(child) not in {None, before}, what=child, seconds=90)
    alice.click(message, "approve")
    # A goals worker that found no Temporal when it came back is started once more, and nobody answers until then.
    eventually(lambda: stack.banksman("approvals", "--json").returncode == 0, what="an inbox", seconds=90)
    if inbox(stack, goal):  # a click while a part comes back is not confirmed, and may be made again
        eventually(lambda: _again(stack, alice, goal), what="a click that counts", seconds=60)
    assert stack.result(goal)["outcome"] == "completed"


def _again(stack: Running, alice: SeededPerson, goal: str) -> bool:
    if offered := list(alice.offered(goal, "approve")):
        alice.click(offered[-1], "approve")
    return not inbox(stack, goal)


@pytest.mark.parametrize("end", ["cancel", "terminate"])
def test_a_worker_that_slept_does_nothing_for_a_goal_that_is_over(
    stack: Running, alice: SeededPerson, branch: str, end: str
) -> None:
    """Cancelling is the stop button. The step had been given to the worker before, with everything that it needs."""
    before = head(stack, branch)
    message = alice.wait_for(ask(stack, branch))
    pid = stack.state["workers"]["destructive"]["pid"]
    os.kill(pid, signal.SIGSTOP)
    try:
        alice.click(message, "approve")
        eventually(lambda: "PENDING_ACTIVITY_STATE_STARTED" in described(stack, branch), what="the step's start")
        stack.temporal("workflow", end, "--workflow-id", branch)
        eventually(lambda: "WORKFLOW_EXECUTION_STATUS_RUNNING" not in described(stack, branch), what="the goal's end")
    finally:
        os.kill(pid, signal.SIGCONT)
    eventually(lambda: "not_current" in audited(stack, branch), what="the refusal")
    assert head(stack, branch) == before


def described(stack: Running, goal: str) -> str:
    return stack.temporal("workflow", "describe", "--workflow-id", goal, "--output", "json").stdout


def audited(stack: Running, goal: str) -> str:
    """What the destructive worker wrote down about a goal."""
    audit = stack.home / "audit" / "destructive.jsonl"
    return "\n".join(line for line in audit.read_text().splitlines() if f'"{goal}"' in line)
