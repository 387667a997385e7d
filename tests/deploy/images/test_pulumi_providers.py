"""Providers of a deployment's own: exactly those of its list, each what its digest says, or one clear error."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from deploy.images import pulumi_providers
from deploy.images.pulumi_providers import RELEASE, Provider, place_providers, read_providers
from deploy.local.tools import ToolUnavailableError
from tests.deploy.images.conftest import Web

Pack = Callable[[Mapping[str, bytes]], bytes]
OURS = "resource-banksman-v0.1.0"
LISTED = """
providers:
  - name: random
    version: 4.18.4
    sha256: {amd64: "%s"}
"""


@pytest.fixture
def plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """With our own in it."""
    monkeypatch.setattr(pulumi_providers.platform, "machine", lambda: "x86_64")
    folder = tmp_path / "plugins"
    (folder / OURS).mkdir(parents=True)
    (folder / OURS / "pulumi-resource-banksman").write_bytes(b"ours")
    return folder


def provider(web: Web, packed: Pack, name: str = "random", *, version: str = "1.2.3", program: str = "") -> Provider:
    archive = packed({"LICENSE": b"as is", program or f"pulumi-resource-{name}": f"{name} {version}".encode()})
    digest = web.put(f"{name}-{version}-amd64.tar.gz", archive)
    made = Provider(name=name, version=version, sha256={"amd64": digest})
    return made.model_copy(update={"url": f"{web.url}/{{name}}-{{version}}-{{machine}}.tar.gz"})


def programs(plugins: Path) -> dict[str, bytes]:
    return {str(path.relative_to(plugins)): path.read_bytes() for path in plugins.glob("*/*")}


async def place(plugins: Path, web: Web, *providers: Provider) -> None:
    await place_providers(plugins, providers, keep=OURS, progress=web.told.append)


async def test_the_folder_holds_exactly_what_is_listed(plugins: Path, web: Web, packed: Pack) -> None:
    first, second = provider(web, packed), provider(web, packed, "aws-native", version="7.8.0")
    await place(plugins, web, first, second)
    ours = {f"{OURS}/pulumi-resource-banksman": b"ours"}
    assert programs(plugins) == {
        **ours,
        "resource-random-v1.2.3/pulumi-resource-random": b"random 1.2.3",
        "resource-aws-native-v7.8.0/pulumi-resource-aws-native": b"aws-native 7.8.0",
    }
    newer = provider(web, packed, version="1.3.0")
    await place(plugins, web, newer)
    assert programs(plugins) == {**ours, "resource-random-v1.3.0/pulumi-resource-random": b"random 1.3.0"}
    await place(plugins, web)
    assert programs(plugins) == ours


async def test_what_is_there_is_not_fetched_again(plugins: Path, web: Web, packed: Pack) -> None:
    one = provider(web, packed)
    await place(plugins, web, one)
    (web.folder / "random-1.2.3-amd64.tar.gz").unlink()
    await place(plugins, web, one)
    assert web.told == ["fetching the provider 'random' 1.2.3 from its release"]


@pytest.mark.parametrize("digest", ["0" * 64, "f" * 64])
async def test_a_release_with_another_digest_leaves_nothing(plugins: Path, web: Web, packed: Pack, digest: str) -> None:
    changed = provider(web, packed).model_copy(update={"sha256": {"amd64": digest}})
    with pytest.raises(ToolUnavailableError, match=r"'random' 1\.2\.3 cannot be had: .*another digest"):
        await place(plugins, web, changed)
    assert list(programs(plugins)) == [f"{OURS}/pulumi-resource-banksman"]
    await place(plugins, web, provider(web, packed))
    assert len(programs(plugins)) == 2


@pytest.mark.parametrize(
    "program", ["../pulumi-resource-random", "bin/pulumi-resource-random", "pulumi-resource-other"]
)
async def test_a_release_without_the_program_is_told(plugins: Path, web: Web, packed: Pack, program: str) -> None:
    with pytest.raises(ToolUnavailableError, match="has no 'pulumi-resource-random'"):
        await place(plugins, web, provider(web, packed, program=program))
    assert list(programs(plugins)) == [f"{OURS}/pulumi-resource-banksman"]


async def test_a_name_from_here_on_is_the_same_name(plugins: Path, web: Web, packed: Pack) -> None:
    await place(plugins, web, provider(web, packed, program="./pulumi-resource-random"))
    assert programs(plugins)["resource-random-v1.2.3/pulumi-resource-random"] == b"random 1.2.3"


async def test_what_cannot_be_fetched_is_told(plugins: Path, web: Web, packed: Pack) -> None:
    gone = provider(web, packed).model_copy(update={"version": "9.9.9"})
    with pytest.raises(ToolUnavailableError, match=r"'random' 9\.9\.9 cannot be had: .*404"):
        await place(plugins, web, gone)
    other = provider(web, packed).model_copy(update={"sha256": {"arm64": "0" * 64}})
    with pytest.raises(ToolUnavailableError, match="has no digest for 'amd64': add it"):
        await place(plugins, web, other)


def test_a_list_is_read_with_the_place_of_the_makers(tmp_path: Path) -> None:
    (tmp_path / "providers.yaml").write_text(LISTED % ("a" * 64))
    (one,) = read_providers(tmp_path / "providers.yaml")
    assert (one.name, one.version, one.url) == ("random", "4.18.4", RELEASE)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (LISTED % "short", r"providers.yaml:5: .*sha256"),
        (LISTED % ("a" * 64) + "    url: http://example.org/a.tar.gz\n", r"providers.yaml:6: .*url"),
        (LISTED.replace("random", "../random") % ("a" * 64), r"providers.yaml:3: .*name"),
        (LISTED.replace("4.18.4", "latest") % ("a" * 64), r"providers.yaml:4: .*version"),
        ("providers: 1\n", r"providers.yaml:1: "),
    ],
)
def test_a_list_that_is_not_valid_is_one_clear_error(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "providers.yaml").write_text(text)
    with pytest.raises(ToolUnavailableError, match=said):
        read_providers(tmp_path / "providers.yaml")


def test_a_list_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ToolUnavailableError, match="cannot be read"):
        read_providers(tmp_path / "none.yaml")
