"""The deployment's file of stacks: read strictly, and turned into what a run is given and what its network opens."""

from pathlib import Path

import pytest
import yaml

from activities.pulumi.sessions import StackSessions
from connectors.artifacts import ArtifactStore
from connectors.errors import InvalidRequest, Unavailable
from connectors.pulumi.files import FileProblem
from sandbox.egress.purposes import EgressSettings
from sandbox.pulumi.request import CloudState, PostgresState
from workers.settings import Settings
from workers.stack_engine import FoundEngine
from workers.stacks import PURPOSE, Stacks

IMAGE = f"sha256:{'a' * 64}"
SAID: dict[str, object] = {
    "state": {"kind": "postgres", "host": "db.internal", "port": 5433, "database": "pulumi", "tls": "require"},
    "packages": ["banksman"],
    "environment": {"PGHOST": "{state.host}", "PGPORT": "{world.port}", "PGUSER": "{state-role}"},
    "passwords": [{"relay": "world", "database": "*", "secret": "state-password"}],
    "relays": {"world": {"host": "10.1.2.3", "port": 5432}},
    "hosts": ["api.example.org"],
    "libraries": "package-registries",
}


def load(folder: Path, **changes: object) -> Stacks:
    path = folder / "stacks.yaml"
    path.write_text(yaml.safe_dump({name: value for name, value in (SAID | changes).items() if value is not None}))
    return Stacks.load(path, environment="live")


def test_it_becomes_what_a_run_is_given(tmp_path: Path) -> None:
    stacks = load(tmp_path)
    assert stacks.state("alice") == PostgresState(database="pulumi", role="alice", tls="require")
    engine = stacks.engine(IMAGE, "alice")
    assert engine.environment == {"PGHOST": "{state.host}", "PGPORT": "{world.port}", "PGUSER": "alice"}
    assert [(one.relay, one.role, one.secret) for one in engine.passwords] == [("world", "alice", "state-password")]
    assert (engine.image, engine.purpose, stacks.libraries) == (IMAGE, PURPOSE, "package-registries")
    assert engine.preview_seconds == 15 * 60 < engine.limits.wall_seconds
    assert load(tmp_path, preview_minutes=2).engine(IMAGE, "alice").preview_seconds == 2 * 60
    assert stacks.knowledge().stateful.loses("aws:rds/instance:Instance")


def test_its_network_leads_to_what_it_names_and_leaves_the_others_as_they_are(tmp_path: Path) -> None:
    others = EgressSettings(purposes={"git": ("github.com",)}, proxy_image=IMAGE)
    opened = load(tmp_path).said.opened(others)
    assert opened.purposes == {"git": ("github.com",), PURPOSE: ("api.example.org",)}
    assert {name: (one.host, one.port) for name, one in opened.relays[PURPOSE].items()} == {
        "state": ("db.internal", 5433),
        "world": ("10.1.2.3", 5432),
    }
    assert (opened.names_for("command"), opened.names_for("stack")) == (("git",), ("git", PURPOSE))
    with pytest.raises(ValueError, match="is for stacks"):
        load(tmp_path).said.opened(opened)


def test_pulumi_cloud_is_reached_by_its_name_alone(tmp_path: Path) -> None:
    state = {"kind": "pulumi-cloud", "organization": "acme"}
    stacks = load(tmp_path, state=state, environment={}, passwords=[], relays={})
    assert stacks.state("") == CloudState(organization="acme")
    opened = stacks.said.opened(EgressSettings(proxy_image=IMAGE))
    assert opened.purposes[PURPOSE] == ("api.pulumi.com", "api.example.org")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"state": {"kind": "s3"}}, "state"),
        ({"state": None}, "state"),
        ({"secret": "x"}, "secret"),
        ({"environment": {"A": "{state-password}"}}, "'state-password' in 'A' is none of"),
        ({"environment": {"A": "{other.host}"}}, "'other.host' in 'A' is none of"),
        ({"environment": {"PGPASSWORD": "x"}}, "'PGPASSWORD' is set by the run itself"),
        ({"passwords": [{"relay": "nowhere", "secret": "state-password"}]}, "names the relay 'nowhere'"),
        ({"relays": {"world": {"host": "a", "port": 1}, "state": {"host": "a", "port": 1}}}, "another name"),
        ({"hosts": ["*.example.org"]}, "hosts"),
        ({"libraries": "pulumi-stack"}, "leads to the state"),
        ({"preview_minutes": 0}, "preview_minutes"),
        ({"preview_minutes": 61}, "preview_minutes"),
        ({"preview_minutes": "for ever"}, "preview_minutes"),
        ({"noise": "missing.yaml"}, "cannot be read"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(tmp_path: Path, changes: dict[str, object], words: str) -> None:
    with pytest.raises(FileProblem, match=r"\.yaml:\d+: ") as caught:
        load(tmp_path, **changes)
    assert words in str(caught.value)


async def test_an_engine_that_is_not_there_yet_is_waited_for(tmp_path: Path) -> None:
    told = tmp_path / "engine.json"
    engine = FoundEngine(Settings(engine_file=told, artifacts=str(tmp_path / "artifacts")), load(tmp_path))
    with pytest.raises(Unavailable, match="does not say where the container engine is"):
        await engine.place()
    told.write_text('{"host": "unix:///nowhere/docker.sock", "images": "/nowhere/images.json"}')
    with pytest.raises(Unavailable, match="no container engine can be used yet"):
        await engine.place()
    await engine.aclose()


def test_without_the_file_a_step_names_the_setting(tmp_path: Path) -> None:

    settings = Settings(artifacts=str(tmp_path))
    house = StackSessions(None, FoundEngine(settings, None), ArtifactStore(settings.artifacts))
    with pytest.raises(InvalidRequest, match="BANKSMAN_STACKS"):
        _ = house.platform
