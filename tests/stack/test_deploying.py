"""A feature that is truly deployed on the running environment: its page changes, it is merged; one that is ill goes."""

import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from deploy.local.example import FEATURE_BRANCH, SERVICE_REPOSITORY
from deploy.local.seeded_person import CHANNEL, Message, SeededPerson
from tests.stack.running import Running, eventually
from tests.stack.services import require_services
from tests.stack.test_stacks import FIRST_TIME, PATIENCE, approved, start

pytestmark = [pytest.mark.stack, pytest.mark.docker, pytest.mark.timeout(FIRST_TIME + 1200)]

GOAL: Final = "DeployNewFeature"
WINDOW, SERVER, MANIFEST = "app/window.py", "app/main.py", "banksman.yaml"


@pytest.fixture(scope="module", autouse=True)
def ready(stack: Running) -> None:
    require_services(stack)


@pytest.fixture
def alice(stack: Running) -> SeededPerson:
    return SeededPerson(str(stack.state["twins"]["slack"]["url"]), "U0ALICE")


class Service:
    """The example service, with a trunk of the test's own."""

    def __init__(self, running: Running, clone: Path, trunk: str) -> None:
        self._running = running
        self._clone = clone
        self.trunk = trunk
        self.git("push", "--quiet", "origin", f"origin/main:refs/heads/{trunk}")

    def git(self, *words: str) -> str:
        done = subprocess.run(["git", "-C", str(self._clone), *words], capture_output=True, text=True, check=True)
        return done.stdout

    def read(self, path: str, branch: str = "main") -> str:
        return self.git("show", f"origin/{branch}:{path}")

    def pull_request(self, title: str, files: Mapping[str, str]) -> int:
        """One into the trunk; its number."""
        asked = {
            "repository": SERVICE_REPOSITORY,
            "base": self.trunk,
            "title": title,
            "files": [{"path": path, "content": content} for path, content in files.items()],
        }
        goal = f"{self.trunk}-{title.replace(' ', '-').lower()}"
        start(self._running, goal, "OpenPullRequest", asked)
        opened = self._running.result(goal)
        assert opened["outcome"] == "completed", opened
        return int(opened["number"])

    def trunk_has(self, path: str, text: str) -> bool:
        self.git("fetch", "--quiet", "origin")
        return text in self.read(path, self.trunk)


@pytest.fixture
def service(stack: Running, goal_id: str) -> Iterator[Service]:
    with tempfile.TemporaryDirectory(prefix="bm-service-") as folder:
        clone = Path(folder) / "clone"
        bare = stack.home / "repositories" / f"{SERVICE_REPOSITORY}.git"
        subprocess.run(["git", "clone", "--quiet", str(bare), str(clone)], check=True, capture_output=True)
        yield Service(stack, clone, f"t{goal_id[5:13]}")


def asked(**what: object) -> dict[str, Any]:
    return {"repository": SERVICE_REPOSITORY, "environments": ["staging"], **what}


def test_a_feature_is_deployed_by_one_click_and_merged_and_one_that_is_ill_is_taken_back_by_another(
    stack: Running, alice: SeededPerson, service: Service, goal_id: str
) -> None:
    first = approved(stack, alice, f"{goal_id}-first", GOAL, asked(branch=service.trunk))
    assert first["outcome"] == "completed", first
    shown = f"{stack.state['platform']['url']}/storefront-staging/"
    assert "Basket" not in httpx.get(shown, follow_redirects=True).text

    number = service.pull_request("Show the basket", {WINDOW: service.read(WINDOW, FEATURE_BRANCH)})
    second = approved(stack, alice, f"{goal_id}-second", GOAL, asked(pull_request=number))
    assert second["outcome"] == "completed", second
    # At first it has a share of the traffic.
    eventually(lambda: "Basket" in httpx.get(shown, follow_redirects=True).text, what="the basket")
    assert second["merged"]
    assert service.trunk_has(WINDOW, "Basket")

    ill = {
        SERVER: service.read(SERVER).replace('"ok\\n"', '"no\\n"'),
        MANIFEST: service.read(MANIFEST).replace("within: 5m", "within: 30s"),
    }
    number = service.pull_request("Break it", ill)
    start(stack, f"{goal_id}-third", GOAL, asked(pull_request=number))
    once = alice.wait_for(f"{goal_id}-third", seconds=PATIENCE)
    shown_to_people = httpx.get(f"{alice.slack}/_twin/messages", params={"channel": CHANNEL}).text
    assert "Step 1 of 2, pulumi.update_stack" in shown_to_people
    assert [word for word in ("salt: ", "plan_file", "prepared: ") if word in shown_to_people] == []
    alice.click(once, "approve")

    def again() -> list[Message]:
        offered = alice.offered(f"{goal_id}-third", "approve")
        return [one for one in offered if one.approval != once.approval]

    eventually(again, seconds=PATIENCE, what="the question whether to take it back")
    alice.click(again()[-1], "approve")
    third = stack.result(f"{goal_id}-third", seconds=PATIENCE)
    assert (third["outcome"], third["merged"]) == ("undone", None), third
    assert {httpx.get(f"{shown}healthz", follow_redirects=True).text for _ in range(10)} == {"ok\n"}
    assert not service.trunk_has(SERVER, '"no\\n"')

    gone = approved(
        stack, alice, f"{goal_id}-gone", "DestroyStack", {"repository": SERVICE_REPOSITORY, "stack": "staging"}
    )
    assert gone["outcome"] == "completed", gone
