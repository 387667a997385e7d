"""Pull requests of a demonstration: opened by a goal, as a person would, and taken back by deleting their branch."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from connectors.github.bare import BareRepository
from connectors.github.git import git
from connectors.github.twin.writes import kept_besides_git
from deploy.local.demo.commands import Ended, run_to_its_end
from deploy.local.demo.environment import Environment
from deploy.local.demo.terminal import say
from workflows.repository.goals import FileEdit, OpenPullRequestInput

_OPENED: Final = 90.0


@dataclass(frozen=True)
class Proposed:
    """An open pull request."""

    number: int
    branch: str
    url: str


async def propose(environment: Environment, repository: str, title: str, files: Mapping[str, str]) -> Proposed:
    """Open one into the main branch.

    Args:
        environment: Where.
        repository: OWNER/NAME.
        title: Of it, and of its commit.
        files: Their new contents by their paths.

    Raises:
        DemoFailed: It was not opened.
    """
    edits = tuple(FileEdit(path=path, content=content) for path, content in files.items())
    base = (await bare_of(environment, repository).resolve("refs/heads/main") or "")[:12]
    # Where it begins is part of it: the same change asked for later is another pull request.
    body = f"Proposed on {base}."
    ended = await _opened(repository, title, body, edits)
    while not await _is_open(environment, repository, ended):
        # A demonstration that was stopped withdrew the very same, and a goal that is asked for it again finds that.
        body = f"{body} #{ended.told('number')} was closed."
        ended = await _opened(repository, title, body, edits)
    url = f"{environment.stack.twins['github'].url}/{repository}/pull/{ended.told('number')}"
    say(f"  pull request #{ended.told('number')}: {url}")
    return Proposed(number=int(ended.told("number")), branch=ended.told("branch"), url=url)


async def _opened(repository: str, title: str, body: str, edits: tuple[FileEdit, ...]) -> Ended:
    asked = OpenPullRequestInput(repository=repository, title=title, body=body, files=edits)
    return await run_to_its_end("OpenPullRequest", asked.model_dump_json(), seconds=_OPENED)


async def _is_open(environment: Environment, repository: str, ended: Ended) -> bool:
    """As GitHub's twin has it, which closes one whose branch is gone when it is asked for it next."""
    if await bare_of(environment, repository).resolve(f"refs/heads/{ended.told('branch')}") is None:
        return False
    number = int(ended.told("number"))
    kept = kept_besides_git(environment.folder.twins / "github" / f"{repository.replace('/', '.')}.json")
    return any(one.number == number and one.state == "open" for one in kept.pulls)


async def withdraw(environment: Environment, repository: str, proposed: Proposed) -> None:
    """Delete its branch, which closes it if it is open. One that is gone is."""
    bare = bare_of(environment, repository)
    if await bare.resolve(f"refs/heads/{proposed.branch}") is not None:
        await git("update-ref", "-d", f"refs/heads/{proposed.branch}", at=bare.path)


def bare_of(environment: Environment, repository: str) -> BareRepository:
    """A repository as GitHub's twin keeps it."""
    return BareRepository(environment.folder.repositories / f"{repository}.git")
