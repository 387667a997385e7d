"""Steps that write, run as Temporal runs them, against the twin over real git: narrow, keyed, and done once."""

import base64
import contextlib
import dataclasses
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from pydantic import SecretStr
from temporalio.testing import ActivityEnvironment

from activities.effects import declared_effect
from activities.github import GitHubSession
from activities.github_writes import (
    CheckRunRequest,
    CommentRequest,
    CommitFilesRequest,
    FileToCommit,
    GitHubWriteActivities,
    LabelRequest,
    OpenPullRequestRequest,
)
from activities.secrets import StepToken
from connectors.errors import Conflict, InvalidRequest, Unavailable
from connectors.github import AppCredentials
from connectors.github.twin import TwinConfig, create_twin
from hitl.protocol import Effect
from tests.connectors.github.recorded import Served, served
from tests.connectors.github.shop import Shop, build, git

CLIENT_ID = "Iv23liTestsOfTheSteps"
BRANCH = "banksman/say-hello-1"
HELLO = FileToCommit(path="HELLO.md", content_base64=base64.b64encode(b"Hello.\n").decode())
COMMIT = CommitFilesRequest(repository="acme/shop", branch=BRANCH, files=(HELLO,), message="Say hello")
PULL = OpenPullRequestRequest(repository="acme/shop", head=BRANCH, base="main", title="Say hello")


class Token:
    """A step's token that reads one secret."""

    def __init__(self, secret: Mapping[str, SecretStr]) -> None:
        self._secret = secret

    async def read(self, path: str) -> Mapping[str, SecretStr]:
        assert path == "github/app"
        return self._secret

    def release_soon(self) -> None:
        """Nothing to release."""


@dataclass
class House:
    """The twin, and both ports of the steps, which note what they are asked for."""

    twin: Served
    shop: Shop
    actions: list[str] = field(default_factory=list[str])
    permissions: list[dict[str, str]] = field(default_factory=list[dict[str, str]])

    @contextlib.asynccontextmanager
    async def step(self, action: str, *, metadata: Mapping[str, str], ttl: timedelta) -> AsyncGenerator[StepToken]:
        assert metadata["workflow_id"]
        assert ttl > timedelta()
        self.actions.append(action)
        key = self.twin.credentials.private_key
        yield Token({"client_id": SecretStr(self.twin.credentials.client_id), "private_key": key})

    def session(
        self, app: Mapping[str, SecretStr], *, repository: str, permissions: Mapping[str, str]
    ) -> AbstractAsyncContextManager[GitHubSession]:
        self.permissions.append(dict(permissions))
        credentials = AppCredentials(client_id=app["client_id"].get_secret_value(), private_key=app["private_key"])
        return self.twin.github().session(credentials, repository=repository, permissions=permissions)

    @property
    def steps(self) -> GitHubWriteActivities:
        return GitHubWriteActivities(self, self)

    def posts(self, name: str) -> int:
        """How often the twin did what a POST to this path does."""
        asked = [one for one in self.twin.requests() if one["method"] == "POST" and one["handled"]]
        return sum(str(one["path"]).endswith(f"/{name}") for one in asked)


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    shop = build(tmp_path_factory.mktemp("shop"))
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    config = TwinConfig(repositories=shop.repositories, client_id=CLIENT_ID, public_key=public.decode())
    with served(create_twin(config), client_id=CLIENT_ID, private_key=SecretStr(pem.decode())) as twin:
        yield House(twin, shop)


@pytest.fixture
def house(serving: House) -> Iterator[House]:
    serving.twin.forget()
    yield House(serving.twin, serving.shop)
    for name in git("for-each-ref", "--format=%(refname)", "refs/heads/banksman", at=serving.shop.bare).split():
        git("update-ref", "-d", name, at=serving.shop.bare)


def at_work(step: str, workflow_id: str = "goal/1") -> ActivityEnvironment:
    """What a step finds around it."""
    environment = ActivityEnvironment()
    environment.info = dataclasses.replace(environment.info, workflow_id=workflow_id, activity_type=step)
    return environment


async def commit(house: House, request: CommitFilesRequest = COMMIT, workflow_id: str = "goal/1") -> str:
    made = await at_work("github.commit_files", workflow_id).run(house.steps.commit_files, request)
    return made.commit


async def test_a_commit_is_made_on_the_default_branch_and_found_again(house: House) -> None:
    made = await at_work("github.commit_files").run(house.steps.commit_files, COMMIT)
    assert (made.base, made.commit) == ("main", git("rev-parse", BRANCH, at=house.shop.bare))
    assert git("show", f"{BRANCH}:HELLO.md", at=house.shop.bare) == "Hello."
    assert await commit(house) == made.commit
    assert git("rev-list", "--count", f"main..{BRANCH}", at=house.shop.bare) == "1"


async def test_files_are_written_made_programs_and_deleted(house: House) -> None:
    files = (
        HELLO.model_copy(update={"executable": True}),
        FileToCommit(path="README.md", content_base64=None),
    )
    await commit(house, COMMIT.model_copy(update={"files": files, "base": "feature/cart"}))
    changed = git("diff", "--name-status", "feature/cart", BRANCH, at=house.shop.bare).splitlines()
    assert changed == ["A\tHELLO.md", "D\tREADME.md"]
    assert git("ls-tree", BRANCH, "HELLO.md", at=house.shop.bare).startswith("100755")


@pytest.mark.parametrize(
    ("request_", "workflow_id"),
    [(COMMIT, "goal/2"), (COMMIT.model_copy(update={"message": "Say more"}), "goal/1")],
    ids=["another goal", "another request of the same goal"],
)
async def test_nobody_takes_anothers_commit_for_theirs(
    house: House, request_: CommitFilesRequest, workflow_id: str
) -> None:
    first = await commit(house)
    with pytest.raises(Conflict):
        await commit(house, request_, workflow_id)
    assert git("rev-parse", BRANCH, at=house.shop.bare) == first


async def test_content_that_is_not_base64_is_named(house: House) -> None:
    wrong = COMMIT.model_copy(update={"files": (FileToCommit(path="a", content_base64="%"),)})
    with pytest.raises(InvalidRequest, match="'a' is not base64"):
        await commit(house, wrong)
    assert house.twin.requests() == []


@pytest.mark.parametrize("workflow_id", ["", "a\nb", "a --> <b>", "a\u2028b", " a"])
async def test_an_id_that_would_spoil_the_mark_is_refused(house: House, workflow_id: str) -> None:
    environment = at_work("github.comment", workflow_id)
    with pytest.raises(InvalidRequest, match="workflow id"):
        await environment.run(house.steps.comment, CommentRequest(repository="acme/shop", number=1, text="x"))
    assert house.twin.requests() == []


async def test_everything_after_the_commit_is_done_once_though_every_answer_is_lost(house: House) -> None:
    sha = await commit(house)
    await lost(house, "/pulls$", lambda: at_work("github.open_pull_request").run(house.steps.open_pull_request, PULL))
    pull = await at_work("github.open_pull_request").run(house.steps.open_pull_request, PULL)
    look = CommentRequest(repository="acme/shop", number=pull.number, text="Look")
    await lost(house, "/comments$", lambda: at_work("github.comment").run(house.steps.comment, look))
    labels = LabelRequest(repository="acme/shop", number=pull.number, labels=("agent",))
    await lost(house, "/labels$", lambda: at_work("github.label").run(house.steps.label, labels))
    check = CheckRunRequest(
        repository="acme/shop", commit=sha, name="banksman", conclusion="success", title="T", summary="S"
    )
    await lost(house, "/check-runs$", lambda: at_work("github.check_run").run(house.steps.check_run, check))
    assert [house.posts(name) for name in ("pulls", "comments", "check-runs")] == [1, 1, 1]
    again = look.model_copy(update={"text": "Look again"})
    await at_work("github.comment").run(house.steps.comment, again)
    assert house.posts("comments") == 2
    assert house.twin.live_tokens == 0


async def lost(house: House, path: str, attempt: Callable[[], Awaitable[object]]) -> None:
    """Lose the answer to the one request that has the effect; then the next attempt."""
    house.twin.plant(kind="drop_after_effect", method="POST", path=path)
    with pytest.raises(Unavailable):
        await attempt()
    await attempt()


async def test_each_token_may_do_its_one_thing(house: House) -> None:
    sha = await commit(house)
    pull = await at_work("github.open_pull_request").run(house.steps.open_pull_request, PULL)
    words = CommentRequest(repository="acme/shop", number=pull.number, text="Look")
    await at_work("github.comment").run(house.steps.comment, words)
    await at_work("github.label").run(
        house.steps.label, LabelRequest(repository="acme/shop", number=pull.number, labels=("agent",))
    )
    check = CheckRunRequest(
        repository="acme/shop", commit=sha, name="banksman", conclusion="failure", title="T", summary="S"
    )
    await at_work("github.check_run").run(house.steps.check_run, check)
    assert house.permissions == [
        {"contents": "write"},
        {"pull_requests": "write", "contents": "read"},
        {"pull_requests": "write"},
        {"pull_requests": "write"},
        {"checks": "write"},
    ]
    assert set(house.actions) == {"github-write"}


def test_they_say_what_they_do(house: House) -> None:
    steps = house.steps
    every = (steps.commit_files, steps.open_pull_request, steps.comment, steps.label, steps.check_run)
    assert {declared_effect(one) for one in every} == {Effect.WRITE}
