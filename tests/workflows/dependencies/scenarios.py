"""The ways that the dependencies of repositories can be mapped."""

from activities.dependencies.contracts import (
    FIND_USERS,
    READ_MANIFESTS,
    Counts,
    ManifestsRead,
    ReadManifestsRequest,
    UpdateStep,
    User,
    UsersFound,
)
from activities.github.name_contracts import FIND_REPOSITORIES, RepositoriesFound
from activities.guard.error_types import ErrorType, application_error
from tests.workflows.played import Answering, Answers, Played
from workflows.dependencies.goals import MAP_DEPENDENCIES, MapDependenciesInput

READ = ManifestsRead(commit="c" * 40, artifact=f"sha256:{'1' * 64}", files=2, direct=3, pinned=1)
FOUND = UsersFound(
    artifact=f"sha256:{'2' * 64}",
    counts=Counts(repositories=2, packages=3, uses=4),
    users=(User(repository="acme/shop", ecosystem="python", name="pulumi", versions=("3.200.0",)),),
    order=(UpdateStep(wave=0, repositories=("acme/shop",), through=("pulumi",)),),
    used_by=1,
)
NAMES = RepositoriesFound(repositories=("Acme/shop", "acme/empty", "acme/lib", "globex/shop"))
DENIED = application_error(ErrorType.POLICY_DENIED, "people alone work on it")
EMPTY = application_error(ErrorType.NOT_FOUND, "'acme/empty' has no commit yet: push one first")


def reading(**errors: Exception) -> Answering:
    """Each repository by its own name, for several are read at one time."""

    def answer(request: ReadManifestsRequest) -> object:
        return errors.get(request.repository.rpartition("/")[2], READ)

    return Answering(answer)


def answers(**errors: Exception) -> Answers:
    return {FIND_REPOSITORIES: [NAMES], READ_MANIFESTS: [reading(**errors)], FIND_USERS: [FOUND]}


SCENARIOS = (
    Played(goal=MAP_DEPENDENCIES, name="completed", answers=answers(empty=EMPTY)),
    Played(goal=MAP_DEPENDENCIES, name="denied", answers=answers(shop=DENIED, empty=DENIED, lib=DENIED)),
    Played(
        goal=MAP_DEPENDENCIES,
        name="not-installed",
        answers=answers(),
        request=MapDependenciesInput(repositories="evil/site"),
    ),
)
