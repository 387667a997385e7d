"""What `banksman.yaml` of a repository names: the service, its environments and stacks, and where their project lies.

A manifest on a default branch is what its repository's people agreed on, and still text that whoever pushes there
chose. So of it come names that parse as names, and nothing else: into closed lists, as the names of branches do, whose
origin is the same. A name in such a list may be named by a plan; what is done to it is approved as ever. No word of a
description, a command or an address goes on from here.
"""

from dataclasses import dataclass
from typing import Final

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.github.contracts import READ_FILE, FileRead, ReadFileRequest
    from activities.guard.error_types import ErrorType
    from hitl.hidden import visible
    from workflows.goal import Goal, StepDenied
    from workflows.manifest.manifest import FILE_NAME, Manifest
    from workflows.manifest.reading import ManifestError, read_manifest

MOST_READ: Final = 16 * 1024
"""Bytes of one manifest: it stands in the history. A longer one names nothing."""
_NO_MANIFEST: Final = frozenset({ErrorType.AUTH_DENIED, ErrorType.NOT_FOUND, ErrorType.INVALID_REQUEST})


@dataclass(frozen=True, kw_only=True)
class NamedServices:
    """Names of one or more manifests, each once.

    Attributes:
        services: What services are called.
        environments: Where they run.
        stacks: Without their projects.
        folders: Where a `Pulumi.yaml` lies that is not in its repository's root.
    """

    services: tuple[str, ...] = ()
    environments: tuple[str, ...] = ()
    stacks: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()

    def __add__(self, other: "NamedServices") -> "NamedServices":
        """Those of both."""
        return NamedServices(
            services=_both(self.services, other.services),
            environments=_both(self.environments, other.environments),
            stacks=_both(self.stacks, other.stacks),
            folders=_both(self.folders, other.folders),
        )


def _both(one: tuple[str, ...], other: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*one, *other)))


async def services_of(goal: Goal, repository: str) -> NamedServices:
    """What the manifest on a repository's default branch names; nothing where there is none that can be used.

    Args:
        goal: Whose step reads it.
        repository: OWNER/NAME.

    Raises:
        ApplicationError: GitHub failed, and not only for want of such a file.
    """
    request = ReadFileRequest(repository=repository, path=FILE_NAME, inline=MOST_READ)
    try:
        found = await goal.step(READ_FILE, request, summary=f"Read {FILE_NAME} of {repository}")
    except (StepDenied, ApplicationError) as error:
        if isinstance(error, ApplicationError) and error.type not in _NO_MANIFEST:
            raise
        return NamedServices()
    return _named(found, repository)


def _named(found: FileRead, repository: str) -> NamedServices:
    if found.content is None or found.encoding != "utf-8":
        workflow.logger.warning("%s of %s is no text of %d bytes at most", FILE_NAME, repository, MOST_READ)
        return NamedServices()
    try:
        return _names_in(read_manifest(found.content.encode()).manifest)
    except ManifestError as error:
        first = visible(str(error).partition("\n")[0])
        workflow.logger.warning("%s of %s names nothing: %s", FILE_NAME, repository, first)
        return NamedServices()


def _names_in(manifest: Manifest) -> NamedServices:
    pulumi = manifest.pulumi
    if pulumi is None:
        return NamedServices(services=(manifest.service.name,))
    return NamedServices(
        services=(manifest.service.name,),
        environments=tuple(pulumi.stacks),
        stacks=tuple(dict.fromkeys(pulumi.stacks.values())),
        folders=(pulumi.directory,) if pulumi.directory else (),
    )
