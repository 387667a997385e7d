"""Puts copied states of Pulumi stacks where a rehearsal's own states are, before the goal begins."""

from collections.abc import Sequence
from pathlib import Path

from pydantic import SecretBytes

from connectors.artifacts import ArtifactStore
from connectors.pulumi import identity
from deploy.local.rehearsal.order import CopiedStack
from deploy.local.state import StackFolder
from deploy.local.state_database import StateDatabase
from sandbox.provisioning import Images
from sandbox.pulumi.project import Project
from sandbox.pulumi.request import MakeRequest
from sandbox.pulumi.runner import PulumiSandbox
from workers.commands.worker import with_credentials
from workers.sandbox import provisioned
from workers.settings import Role
from workers.stack_engine import load_stacks

_ROLE = "state-role"
_SUFFIX = "-seeding"
_SAID = 400


class StackNotSeeded(Exception):
    """A copied state cannot be put there; the message names the stack."""


async def seed_stacks(folder: StackFolder, stacks: Sequence[CopiedStack]) -> None:
    """Make each stack with its state, by Pulumi itself, in containers of its own.

    Args:
        folder: Of the rehearsal's environment, which runs.
        stacks: What was copied.

    Raises:
        StackNotSeeded: Pulumi does not take one of them.
        SandboxError: The containers fail.
    """
    if not stacks:
        return
    settings, _ = await with_credentials(Role.SANDBOX, who="a rehearsal")
    own = settings.model_copy(update={"sandbox_deployment": f"{settings.sandbox_deployment}{_SUFFIX}"})
    platform = await load_stacks(own)
    images = Images.model_validate_json(own.sandbox_images.read_bytes())
    if platform is None or images.pulumi is None:
        raise StackNotSeeded("the rehearsal's environment has no place for states of stacks")
    secrets = dict(StateDatabase(folder, port=0, environment={}).secrets()["pulumi/change"])
    role = secrets.pop(_ROLE).get_secret_value()
    opened = {name: SecretBytes(value.get_secret_value().encode()) for name, value in secrets.items()}
    store = ArtifactStore(own.artifacts)
    async with provisioned(own, platform) as provision:
        pulumi = PulumiSandbox(provision.sandbox, store, Path(str(identity.__file__)))
        for number, one in enumerate(stacks):
            request = MakeRequest(
                run_id=f"seed-{number}",
                project=Project(name=one.project),
                stack=one.stack,
                state=platform.state(role),
                engine=platform.engine(images.pulumi.digest, role),
                exported=await store.put(one.state.encode()),
            )
            outcome = await pulumi.make(request, opened)
            if outcome.ended != "done":
                said = outcome.steps[-1].said[-_SAID:] if outcome.steps else outcome.ended
                raise StackNotSeeded(f"the state of {one.project}/{one.stack} cannot be copied: {said!r}")
