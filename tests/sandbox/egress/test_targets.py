"""Which targets a step may choose: what is named, and nothing that looks like it."""

import asyncio
import ipaddress
from collections.abc import Mapping, Sequence

import pytest
from pydantic import ValidationError

from sandbox.docker.container import Containers, SandboxOptions
from sandbox.docker.engine import Engine
from sandbox.docker.hardening import Place, container_config, refuse_weak
from sandbox.egress import forward
from sandbox.egress.addresses import INSIDE
from sandbox.egress.network import Egress
from sandbox.egress.purposes import EgressSettings
from sandbox.egress.targets import DATABASE, TargetPattern
from sandbox.errors import IsolationMissing, SpecRefused
from sandbox.spec import Limits, RunSpec, Target, Work

IMAGE = "sha256:" + "a" * 64
NEON = TargetPattern(host="*.neon.tech")
HERE = TargetPattern.model_validate({"host": "127.0.0.1", "port": None, "by_way_of": "10.213.0.1"})
SETTINGS = EgressSettings(
    purposes={"git": ("github.com",)},
    targets={DATABASE: (NEON, HERE)},
    kept_for={DATABASE: "migration"},
    proxy_image=IMAGE,
)


@pytest.mark.parametrize(
    ("host", "port", "allowed"),
    [
        ("ep-quiet-moon.eu-central-1.aws.neon.tech", 5432, True),
        ("ep-quiet-moon.eu-central-1.aws.neon.tech", 5433, False),
        ("neon.tech", 5432, False),
        ("evil-neon.tech", 5432, False),
        ("ep.neon.tech.evil.com", 5432, False),
        ("127.0.0.1", 40123, True),
        ("127.0.0.2", 40123, False),
        ("169.254.169.254", 5432, False),
        ("10.0.0.1", 5432, False),
    ],
)
def test_what_is_allowed_is_what_is_named(host: str, port: int, allowed: bool) -> None:
    target = Target(host=host, port=port)
    assert any(one.allows(target) for one in (NEON, HERE)) is allowed


@pytest.mark.parametrize("host", ["", "EP.neon.tech", "ep.neon.tech.", "ep.neon.tech:22", "a b.neon.tech", "::1", "ep"])
def test_what_is_no_host_is_no_target(host: str) -> None:
    with pytest.raises(ValidationError):
        Target(host=host, port=5432)


@pytest.mark.parametrize(
    "pattern",
    [
        {"host": "*"},
        {"host": "*.tech"},
        {"host": "ep.*.tech"},
        {"host": "127.0.0.1"},
        {"host": "169.254.169.254"},
        {"host": "10.0.0.9", "by_way_of": "127.0.0.1"},
        {"host": "*.neon.tech", "port": None},
        {"host": "*.neon.tech", "port": 443},
        {"host": "*.neon.tech", "by_way_of": "10.0.0.1"},
    ],
)
def test_a_deployment_cannot_open_what_is_no_database(pattern: Mapping[str, object]) -> None:
    with pytest.raises(ValidationError):
        TargetPattern.model_validate(pattern)


@pytest.mark.parametrize(
    "ways",
    [{"purposes": {DATABASE: ("github.com",)}}, {"kept_for": {}}, {"kept_for": {DATABASE: "command"}}],
)
def test_a_purpose_with_targets_has_nothing_else_and_no_goal_names_it(ways: Mapping[str, object]) -> None:
    said = {name: getattr(SETTINGS, name) for name in EgressSettings.model_fields}
    with pytest.raises(ValidationError, match=r"another name|keep it for its work"):
        EgressSettings.model_validate({**said, **ways})


@pytest.mark.parametrize(
    ("purpose", "work", "target", "says"),
    [
        (DATABASE, "command", Target(host="ep.neon.tech", port=5432), "is for migrations alone"),
        (DATABASE, "stack", Target(host="ep.neon.tech", port=5432), "is for migrations alone"),
        (DATABASE, "packages", Target(host="ep.neon.tech", port=5432), "is for migrations alone"),
        (DATABASE, "migration", None, "which its step has to choose"),
        (DATABASE, "migration", Target(host="evil.com", port=5432), r"evil.com:5432 is none .* \*.neon.tech:5432"),
        ("git", "migration", Target(host="ep.neon.tech", port=5432), "its step chooses no target"),
    ],
)
async def test_another_target_is_refused_before_anything_is_made(
    purpose: str, work: Work, target: Target | None, says: str
) -> None:
    engine = Engine("unix:///nonexistent/docker.sock")
    spec = RunSpec(run_id="a", image=IMAGE, argv=("true",), purpose=purpose, work=work, target=target)
    try:
        egress = Egress(Containers(engine, SandboxOptions()), SETTINGS)
        with pytest.raises(SpecRefused, match=says):
            async with egress.network(spec, purpose, 60):
                raise AssertionError("it was opened")
    finally:
        await engine.close()


@pytest.mark.parametrize("hosts", [["a.example.com:evil"], ["localhost:10.0.0.1"], ["a.example.com:host-gateway"]])
def test_no_other_name_gets_past_the_last_look(hosts: Sequence[str]) -> None:
    limits = Limits()
    place = Place.of(IMAGE, limits, network="banksman-net-a")
    config = dict(container_config(place, limits, {}, hosts={"ep.neon.tech": "10.214.0.5"}))
    host = config["HostConfig"]
    assert isinstance(host, dict)
    assert host["ExtraHosts"] == ["ep.neon.tech:10.214.0.5"]
    with pytest.raises(IsolationMissing, match="ExtraHosts"):
        refuse_weak({**config, "HostConfig": {**host, "ExtraHosts": hosts}})


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "169.254.169.254", "10.0.0.1"])
async def test_a_name_that_turns_out_to_be_inside_is_connected_to_by_nobody(host: str) -> None:
    came = asyncio.Event()

    async def served(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came.set()
        writer.close()

    server = await asyncio.start_server(served, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        with pytest.raises(OSError, match="leads inside"):
            await forward._outside(host, port, tuple(map(ipaddress.ip_network, INSIDE)))
        assert not came.is_set()
        elsewhere = (ipaddress.ip_network("10.0.0.0/8"),)
        if host == "localhost":
            _, writer = await forward._outside("127.0.0.1", port, elsewhere)
            await came.wait()
            writer.close()
