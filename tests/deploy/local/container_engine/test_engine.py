"""What the stack tells of its container engine, and of Pulumi where it cannot be had."""

from pathlib import Path

import pytest

from deploy.local.container_engine.found import DockerSettings, address_for_containers, gateway_of
from deploy.local.container_engine.part import build_pulumi
from sandbox.docker.engine import Engine
from sandbox.provisioning import EngineFound


async def test_the_address_for_containers_is_known_before_an_engine_of_ours_is_there(tmp_path: Path) -> None:
    settings = DockerSettings(cache=tmp_path, userns_remap=True, address_pool="10.99.0.0/16")
    assert await address_for_containers(settings) == "10.99.254.1"
    assert list(tmp_path.iterdir()) == []


def test_a_bridge_that_tells_no_gateway_has_its_interface() -> None:
    """As engines describe a bridge that they made themselves, until they are started once more."""
    untold = {"IPAM": {"Config": [{"Subnet": "127.0.0.0/8"}]}, "Options": {"com.docker.network.bridge.name": "lo"}}
    assert gateway_of(untold) == "127.0.0.1"
    told = {**untold, "IPAM": {"Config": [{"Gateway": "fd00::1"}, {"Gateway": "172.17.0.1"}]}}
    assert gateway_of(told) == "172.17.0.1"


@pytest.mark.parametrize("options", [None, {}, {"com.docker.network.bridge.name": "not-there-0"}])
def test_a_bridge_without_gateway_and_interface_has_none(options: dict[str, str] | None) -> None:
    assert gateway_of({"IPAM": {"Config": None}, "Options": options}) is None


async def test_without_go_it_says_why_there_is_no_image_with_pulumi(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    told = tmp_path / "engine.json"
    found = EngineFound(host="unix:///nowhere", images=str(tmp_path / "images.json"))
    engine = Engine(found.host, threads=1)
    try:
        await build_pulumi(engine, told, found)
    finally:
        await engine.close()
    said = EngineFound.model_validate_json(told.read_bytes())
    assert (said.host, said.images, said.pulumi) == (found.host, found.images, "missing")
    assert "go is not here: https://go.dev/dl/" in said.problem
    assert not (tmp_path / "images.json").exists()


def test_what_an_earlier_release_wrote_is_read() -> None:
    found = EngineFound.model_validate_json('{"host": "unix:///a", "images": "/b"}')
    assert (found.pulumi, found.problem) == ("building", "")
