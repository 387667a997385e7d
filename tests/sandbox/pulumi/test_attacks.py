"""Programs that want the engine's keys, its plugins, or more than the plan says; each on the real CLI."""

import base64
import hashlib
import os

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from sandbox.pulumi.outcome import RunOutcome
from sandbox.pulumi.request import Program
from tests.sandbox.pulumi.conftest import (
    LOCKS,
    ONE_LOOP,
    PASSPHRASE_CANARY,
    PASSWORD_CANARY,
    Database,
    Stack,
    archive,
    said,
)
from tests.sandbox.pulumi.programs import CALL_PLUGINS, DATABASE, FILL, LOOK_AROUND

pytestmark = [pytest.mark.docker, pytest.mark.timeout(300), ONE_LOOP]


@pytest.fixture
def unmade() -> bool:
    return False


def got(outcome: RunOutcome) -> list[str]:
    """What the attack got; one that did not try anything proves nothing."""
    assert "tried" in outcome.program_output, said(outcome)
    return [line for line in outcome.program_output.splitlines() if "ESCAPED" in line]


async def events_of(stack: Stack, outcome: RunOutcome) -> str:
    return "".join([await stack.text(step.events) for step in outcome.steps if step.events is not None])


async def test_a_program_finds_no_secret_no_network_and_nothing_to_write_on(stack: Stack) -> None:
    # Written backwards, because the way out masks what the engine knows.
    canaries = repr([PASSPHRASE_CANARY[::-1], PASSWORD_CANARY[::-1]])
    outcome = await stack.preview(LOOK_AROUND.replace("CANARIES", canaries))
    assert outcome.ended == "done", said(outcome)
    assert got(outcome) == []


async def test_a_program_reaches_no_plugin_and_none_of_the_engines_other_doors(stack: Stack) -> None:
    # A provider must be up while the program tries.
    code = DATABASE + f'Database("shop", "{stack.name}_shop")\n' + CALL_PLUGINS
    outcome = await stack.preview(code)
    assert outcome.ended == "done", said(outcome)
    assert got(outcome) == []
    assert "monitor.sock" in outcome.program_output
    assert "engine.sock" in outcome.program_output


ONLY_OUTSIDE_OF_A_PREVIEW = """
if not pulumi.runtime.is_dry_run():
    Database("more", "NAME_more")
"""
ONLY_THE_SECOND_TIME = """
import pathlib
before = pathlib.Path("/tmp/ran")
if before.exists():
    Database("more", "NAME_more")
before.touch()
"""


@pytest.mark.parametrize("trick", [ONLY_OUTSIDE_OF_A_PREVIEW, ONLY_THE_SECOND_TIME])
async def test_what_a_program_adds_behind_the_plan_is_not_made(stack: Stack, database: Database, trick: str) -> None:
    code = DATABASE + f'Database("shop", "{stack.name}_shop")\n' + trick.replace("NAME", stack.name)
    planned = await stack.preview(code)
    assert planned.ended == "done", said(planned)
    applied = await stack.up(code, planned)
    assert applied.ended == "failed", said(applied)
    assert f"{stack.name}_more" not in database.names
    assert applied.state_after is not None
    made = "banksman:postgres:Database" in await stack.resources(applied.state_after)
    assert made == (f"{stack.name}_shop" in database.names), "the state knows what was made"


async def test_another_library_than_at_the_preview_changes_nothing(stack: Stack, database: Database) -> None:
    code = DATABASE + "import wanted\nfor name in wanted.NAMES:\n    Database(name, name)\n"
    program = (await stack.program(code)).archive
    one, two = [
        await stack.store.put(archive({"wanted.py": f"NAMES = {names!r}"}))
        for names in ([f"{stack.name}_shop"], [f"{stack.name}_shop", f"{stack.name}_more"])
    ]
    planned = await stack.preview(code, program=Program(archive=program, libraries=one))
    assert planned.ended == "done", said(planned)
    applied = await stack.up(code, planned, program=Program(archive=program, libraries=two))
    assert applied.ended == "failed", said(applied)
    assert applied.identity_after == applied.identity_before
    assert not {f"{stack.name}_shop", f"{stack.name}_more"} & set(database.names)


def encrypted(value: str, salt: str, passphrase: str) -> str:
    """As Pulumi writes it into a stack's file; from `sdk/go/common/resource/config/crypt.go`."""
    key = hashlib.pbkdf2_hmac("sha256", passphrase.encode(), base64.b64decode(salt.split(":")[1]), 1_000_000)
    nonce = os.urandom(12)
    sealed = AESGCM(key).encrypt(nonce, value.encode(), None)
    return f"v1:{base64.b64encode(nonce).decode()}:{base64.b64encode(sealed).decode()}"


TELL_A_SECRET = """
import pulumi
secret = pulumi.Config().require("token")
print("tried", len(secret), secret)
pulumi.log.warn("the token is " + secret)
pulumi.log.info(repr({"token": secret}))
raise ValueError(secret)
"""


async def test_a_secret_that_a_program_prints_does_not_come_out(stack: Stack) -> None:
    first = await stack.planned("import pulumi")
    assert first.salt is not None, said(first)
    canary = 'canary<"7c1e>&x'
    secure = {"secure": encrypted(canary, first.salt, stack.passphrase)}
    stack.settings = stack.settings.model_copy(update={"config": {"example:token": secure}})
    outcome = await stack.preview(TELL_A_SECRET)
    assert outcome.ended == "failed", said(outcome)
    out = outcome.model_dump_json() + await events_of(stack, outcome)
    assert f"tried {len(canary)} [secret]" in outcome.program_output, said(outcome)
    assert "the token is [secret]" in out
    assert "7c1e" not in out


async def test_a_program_that_writes_a_gigabyte_fills_only_its_own_memory(stack: Stack) -> None:
    outcome = await stack.preview(FILL)
    assert outcome.ended == "done", said(outcome)
    assert got(outcome) == []


async def test_a_program_that_prints_without_end_is_cut(stack: Stack) -> None:
    outcome = await stack.preview("import pulumi\nfor _ in range(20_000): print('tried ' + 'x' * 5_000)")
    assert outcome.ended == "done", said(outcome)
    assert len(outcome.program_output) < 70_000
    assert "bytes left out" in outcome.program_output


async def test_a_program_that_loops_for_ever_is_stopped_and_leaves_no_lock(stack: Stack, database: Database) -> None:
    code = DATABASE + f'Database("shop", "{stack.name}_shop")\n'
    planned = await stack.planned(code)
    short = {**stack.engine.limits.model_dump(), "wall_seconds": 25}
    stack.engine_options = {"limits": short, "stop_seconds": 5}
    loops = code + "import time\nwhile not pulumi.runtime.is_dry_run(): time.sleep(1)\n"
    stopped = await stack.up(loops, planned, check_drift=False)
    assert (stopped.ended, stopped.program_unended) == ("timeout", True), said(stopped)
    assert database.asked(LOCKS, stack.name) == "0"
    assert stopped.identity_after is not None


async def test_a_program_that_never_ends_holds_a_preview_for_its_own_limit_alone(
    stack: Stack, database: Database
) -> None:
    stack.engine_options = {"preview_seconds": 14, "stop_seconds": 3}
    stopped = await stack.preview("while True: pass\n")
    assert (stopped.ended, stopped.program_unended, stopped.plan) == ("timeout", True, None), said(stopped)
    assert stopped.allowed_seconds == 14
    assert stopped.seconds < 60
    assert database.asked(LOCKS, stack.name) == "0"


REFUSED = {
    "a dynamic provider": (
        """
import pulumi
from pulumi.dynamic import CreateResult, Resource, ResourceProvider

class Provider(ResourceProvider):
    def create(self, props):
        return CreateResult("1", {})

class Thing(Resource):
    def __init__(self):
        super().__init__(Provider(), "thing", {})

Thing()
""",
        "pulumi-python",
    ),
    "commands": (
        'import pulumi\npulumi.CustomResource("command:local:Command", "run", {"create": "id"})\n',
        "command",
    ),
    "a function that runs commands": (
        'import pulumi\npulumi.runtime.invoke("command:local:run", {"command": "id"})\n',
        "command",
    ),
    "a provider of another package": (
        'import pulumi\npulumi.ProviderResource("kubernetes", "there", {})\n',
        "kubernetes",
    ),
    "another stack": (
        'import pulumi\npulumi.StackReference("organization/secret/prod")\n',
        "organization/secret/prod",
    ),
}


@pytest.mark.parametrize("kind", REFUSED)
async def test_what_a_program_may_not_have_is_refused_by_name(stack: Stack, kind: str) -> None:
    code, name = REFUSED[kind]
    outcome = await stack.preview(code)
    assert outcome.ended == "failed", said(outcome)
    assert outcome.plan is None
    assert any(repr(name) in why for why in outcome.refused), said(outcome)


async def test_a_plugins_address_in_a_program_leads_nowhere(stack: Stack, database: Database) -> None:
    code = DATABASE + (
        f'Database("shop", "{stack.name}_shop", plugin_download_url="https://evil.example.com/plugins")\n'
        f'Database("more", "{stack.name}_more", version="9.9.9", plugin_download_url="https://evil.example.com")\n'
    )
    outcome = await stack.preview(code)
    assert outcome.ended == "failed", said(outcome)
    out = said(outcome) + await events_of(stack, outcome)
    assert "9.9.9" in out, "the version that the image does not hold is missed"
    assert "evil.example.com" not in out


async def test_transforms_would_make_the_engine_call_an_address_and_are_refused(stack: Stack) -> None:
    code = DATABASE + "pulumi.runtime.register_resource_transform(lambda args: None)\n"
    outcome = await stack.preview(code)
    assert outcome.ended == "failed", said(outcome)


EVIL_PLUGIN = """#!/bin/sh
echo 1
while true; do sleep 1; done
"""


async def test_the_engine_never_sees_what_lies_in_the_repository(stack: Stack) -> None:
    files = {
        "Pulumi.yaml": "name: example\nruntime: python\nplugins:\n  providers:\n    - {name: banksman, path: ./evil}\n"
        "backend: {url: file:///tmp}\n",
        "Pulumi.dev.yaml": "environment: [evil]\nsecretsprovider: awskms://evil\n",
        "evil/pulumi-resource-banksman": EVIL_PLUGIN,
    }
    program = await stack.program(DATABASE + f'Database("shop", "{stack.name}_shop")\n', **files)
    outcome = await stack.preview("", program=program)
    assert outcome.ended == "done", said(outcome)
    step = outcome.step("preview")
    assert step is not None
    assert step.changes == {"create": 2}
