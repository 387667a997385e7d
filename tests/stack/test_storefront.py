"""A service that is truly deployed on the running stack: two releases of it, side by side, seen over HTTP."""

import json
import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from deploy.local.example import FEATURE_BRANCH, SERVICE_REPOSITORY
from deploy.local.seeded_person import SeededPerson
from tests.stack.running import Running, eventually
from tests.stack.services import require_services
from tests.stack.test_stacks import FIRST_TIME, approved

pytestmark = [pytest.mark.stack, pytest.mark.docker, pytest.mark.timeout(FIRST_TIME + 600)]

SHARE = 50


@pytest.fixture(scope="module", autouse=True)
def ready(stack: Running) -> None:
    require_services(stack)


@pytest.fixture
def alice(stack: Running) -> SeededPerson:
    return SeededPerson(str(stack.state["twins"]["slack"]["url"]), "U0ALICE")


@dataclass(frozen=True)
class Branches:
    """Two branches of a test's own, with settings for a stack of its own."""

    stack: str

    def of(self, name: str) -> dict[str, str]:
        """What a goal is asked that deploys one of them."""
        return {"repository": SERVICE_REPOSITORY, "stack": self.stack, "ref": f"{self.stack}/{name}"}


@pytest.fixture
def branches(stack: Running, goal_id: str) -> Iterator[Branches]:
    name = f"t{goal_id[5:13]}"
    with tempfile.TemporaryDirectory(prefix="bm-storefront-") as folder:
        clone = Path(folder) / "clone"
        bare = stack.home / "repositories" / f"{SERVICE_REPOSITORY}.git"
        subprocess.run(["git", "clone", "--quiet", str(bare), str(clone)], check=True, capture_output=True)
        who = ["-c", "user.name=a", "-c", "user.email=a@b"]
        for short, start in (("old", "main"), ("new", FEATURE_BRANCH)):
            git = ["git", "-C", str(clone)]
            subprocess.run([*git, "checkout", "--quiet", "-b", short, f"origin/{start}"], check=True)
            # The watch goes on for as long as the test looks.
            settings = f"config:\n  storefront:share: {SHARE}\n  storefront:watchSeconds: 3600\n"
            (clone / f"Pulumi.{name}.yaml").write_text(settings)
            subprocess.run([*git, "add", "--all"], check=True)
            subprocess.run([*git, *who, "commit", "--quiet", "--message", f"Settings of {short}"], check=True)
            subprocess.run([*git, "push", "--quiet", "origin", f"HEAD:refs/heads/{name}/{short}"], check=True)
        yield Branches(name)


def pages(url: str, *, times: int) -> list[bool]:
    """Of so many visits, which saw the basket."""
    with httpx.Client(follow_redirects=True) as browser:
        seen = [browser.get(f"{url}/") for _ in range(times)]
    assert {one.status_code for one in seen} == {200}
    return ["Basket" in one.text for one in seen]


def test_two_releases_are_deployed_and_the_page_changes(
    stack: Running, alice: SeededPerson, branches: Branches, goal_id: str
) -> None:
    first = approved(stack, alice, f"{goal_id}-old", "PreviewAndUp", branches.of("old"))
    assert first["outcome"] == "completed", first
    url, newest = first["outputs"]["url"], first["outputs"]["newestUrl"]
    assert url.startswith(stack.state["platform"]["url"])
    assert pages(url, times=4) == [False] * 4
    assert httpx.get(f"{url}/healthz").text == "ok\n"

    second = approved(stack, alice, f"{goal_id}-new", "PreviewAndUp", branches.of("new"))
    assert (second["outcome"], second["outputs"]) == ("completed", first["outputs"]), second
    assert sum(pages(url, times=10)) == 10 * SHARE // 100
    assert pages(newest, times=3) == [True] * 3

    killed = stack.pid("platform")
    assert killed is not None
    os.kill(killed, signal.SIGKILL)
    eventually(lambda: stack.pid("platform") not in {None, killed}, seconds=120, what="another platform")
    eventually(lambda: serves(url) and serves(newest), seconds=120, what="both releases")
    assert sum(pages(url, times=10)) == 10 * SHARE // 100

    asked = {name: value for name, value in branches.of("old").items() if name != "ref"}
    gone = approved(stack, alice, f"{goal_id}-gone", "DestroyStack", asked)
    assert gone["outcome"] == "completed", gone
    assert httpx.get(f"{url}/").status_code == 404


def serves(url: str) -> bool:
    """Whether somebody answers there, and well."""
    try:
        return httpx.get(f"{url}/healthz").status_code == 200
    except httpx.HTTPError:
        return False


def test_the_pull_request_of_the_feature_is_open(stack: Running) -> None:
    page = httpx.get(
        f"{stack.state['twins']['github']['url']}/{SERVICE_REPOSITORY}/pull/1", headers={"Accept": "text/html"}
    )
    assert page.status_code == 200
    assert "Show the basket" in page.text


def test_tokens_of_the_platform_are_in_no_log_and_no_state(stack: Running) -> None:
    kept = json.loads((stack.home / "pulumi.json").read_text())
    tokens = [kept["platform_look"], kept["platform_change"]]
    told = [stack.home / "stack.json", stack.home / "stacks.yaml", *(stack.home / "logs").iterdir()]
    assert [path.name for path in told for token in tokens if token in path.read_text(errors="replace")] == []
