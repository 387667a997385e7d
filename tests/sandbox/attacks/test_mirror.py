"""Package registries are reached through a caching mirror that records path and digest, and in no other way."""

import asyncio
import hashlib
import json
import random
import uuid
from collections.abc import AsyncIterator
from ipaddress import IPv4Address
from typing import NamedTuple, cast

import pytest
import pytest_asyncio

from connectors.artifacts import ArtifactStore
from sandbox.docker.container import SandboxOptions
from sandbox.docker.engine import Engine
from sandbox.docker.provider import DockerSandbox
from sandbox.egress.purposes import EgressSettings
from sandbox.egress.registries import MirrorSettings
from sandbox.provisioning import Images
from sandbox.result import Download, RunResult
from sandbox.spec import MIB, Limits, RunSpec
from tests.sandbox.attacks.registry import CDN, FILES, INDEX, NPM, TARBALL, WHEEL_PATH, certificate, content, wheel
from tests.sandbox.attacks.world import Outside, outside_on
from tests.sandbox.running import Left

pytestmark = pytest.mark.docker

NAMES = {name: ["{web}"] for name in (INDEX, FILES, NPM, CDN, "evil.example.com")}
INSTALL = "pip install -q --no-input --target t tinyhello && PYTHONPATH=t python3 -m tinyhello"
MIRROR = 'MIRROR=$(echo $PIP_INDEX_URL | cut -d/ -f1-3); curl="curl -sS -m 10"; '
WHEEL_DIGEST = hashlib.sha256(wheel()).hexdigest()


class World(NamedTuple):
    """A sandbox that may use a registry, and that registry."""

    sandbox: DockerSandbox
    outside: Outside
    engine: Engine
    image: str
    settings: EgressSettings

    async def shell(self, code: str) -> RunResult:
        spec = RunSpec(
            run_id=uuid.uuid4().hex[:12],
            image=self.image,
            argv=("sh", "-c", MIRROR + code),
            purpose="package-registries",
            limits=Limits(wall_seconds=60),
        )
        return await self.sandbox.run(spec)

    async def seen(self) -> list[dict[str, str]]:
        """The headers of every request that the registry got."""
        return [json.loads(one) for one in (await self.outside.state())["seen"]]

    async def in_mirror(self, code: str) -> None:
        """As who holds the mirror's container; no run can."""
        label = {"label": [f"banksman.deployment={self.sandbox.containers.options.deployment}", "banksman.kind=mirror"]}
        (mirror,) = await self.engine.call(self.engine.api.containers, all=False, filters=label)
        process = await asyncio.create_subprocess_exec(
            "docker", "-H", self.engine.host, "exec", str(mirror["Id"]), "sh", "-c", code
        )
        assert await process.wait() == 0


@pytest_asyncio.fixture
async def world(
    request: pytest.FixtureRequest,
    engine: Engine,
    image: str,
    images: Images,
    store: ArtifactStore,
    options: SandboxOptions,
    left: Left,
) -> AsyncIterator[World]:
    secret, public = certificate(INDEX, FILES, NPM)
    environment = [f"CERTIFICATE={secret}", f"FILES={content()}"]
    subnet = f"11.223.{random.randrange(256)}.0/24"  # noqa: S311 - no secret
    async with outside_on(engine, image, subnet, NAMES, environment) as outside:
        mirror = MirrorSettings(
            python_index=f"https://{INDEX}/simple/",
            npm_registry=f"https://{NPM}/",
            files=(FILES,),
            authorities=public,
            cache_bytes=32 * MIB,
            fresh_seconds=cast("int", getattr(request, "param", 600)),
        )
        settings = EgressSettings(
            mirrors={"package-registries": mirror},
            proxy_image=images.proxy.digest,
            outbound=outside.network,
            resolvers=(IPv4Address(outside.address),),
        )
        sandbox = DockerSandbox(engine, store, options, settings)
        yield World(sandbox, outside, engine, image, settings)
        await sandbox.close()
        assert await left() == []


def files(result: RunResult) -> list[Download]:
    return [one for one in result.downloads if one.host == FILES]


async def test_pip_installs_and_path_and_digest_of_every_download_are_recorded(world: World) -> None:
    result = await world.shell(INSTALL)
    assert result.stdout.text == "hello from the package\n", result.stderr.text
    assert {(one.host, one.path, one.status, one.sha256) for one in result.downloads} >= {
        (FILES, WHEEL_PATH, 200, WHEEL_DIGEST)
    }
    (index,) = [one for one in result.downloads if one.host == INDEX]
    page = json.loads(content())[f"{INDEX}/simple/tinyhello/"][2]
    assert (index.path, index.sha256) == ("/simple/tinyhello/", hashlib.sha256(page.encode()).hexdigest())
    (file,) = files(result)
    assert (file.bytes_received, file.cached) == (len(wheel()), False)
    assert result.connections == ()


@pytest.mark.parametrize("world", [600, 1], ids=["fresh", "old"], indirect=True)
async def test_a_cached_package_is_served_when_the_registry_is_gone(world: World) -> None:
    assert (await world.shell(INSTALL)).exit_code == 0
    await world.engine.call(world.engine.api.kill, world.outside.name)
    result = await world.shell(INSTALL)
    assert result.stdout.text == "hello from the package\n", result.stderr.text
    assert [(one.sha256, one.cached) for one in files(result)] == [(WHEEL_DIGEST, True)]
    assert all(one.cached for one in result.downloads)


async def test_a_poisoned_entry_of_the_cache_is_refused_and_seen(world: World) -> None:
    assert (await world.shell(INSTALL)).exit_code == 0
    poison = "grep -rl 'hello from the package' /workspace/cache | xargs sed -i 's/hello from the/HELLO FROM THE/'"
    await world.in_mirror(poison)
    result = await world.shell(INSTALL)
    assert result.exit_code != 0
    assert "DO NOT MATCH THE HASHES" in result.stderr.text
    assert result.stdout.text == ""
    (file,) = files(result)
    assert file.cached
    assert file.sha256 not in {None, WHEEL_DIGEST}


async def test_nothing_of_a_run_but_host_and_path_reaches_the_registry_or_the_cache(world: World) -> None:
    odd = (
        "-H 'Host: evil.example.com' -H 'X-Forwarded-Host: evil.example.com' -H 'Cookie: stolen' -H 'Range: bytes=0-3' "
        "-H 'Authorization: Bearer stolen' -H 'Accept: text/stolen' -H 'Cache-Control: no-cache' -A stolen"
    )
    result = await world.shell(f"$curl {odd} $MIRROR/{FILES}{WHEEL_PATH}?stolen | sha256sum")
    assert result.stdout.text.split()[0] == WHEEL_DIGEST
    assert "stolen" not in json.dumps(await world.seen())
    assert {headers["Host"] for headers in await world.seen()} == {FILES}
    after = await world.shell(INSTALL)
    assert after.stdout.text == "hello from the package\n", after.stderr.text
    assert [one.cached for one in files(after)] == [True]


REFUSED = [
    "$curl -w '%{http_code}' -o /dev/null $MIRROR/evil.example.com/x",
    "$curl -w '%{http_code}' -o /dev/null -d stolen $MIRROR/index.example.com/legacy/",
    "$curl -w '%{http_code}' -o /dev/null -T /etc/hostname $MIRROR/npm.example.com/tiny",
    "$curl -w '%{http_code}' -o /dev/null --path-as-is $MIRROR/index.example.com/../evil.example.com/x",
    "$curl -w '%{http_code}' -o /dev/null --path-as-is $MIRROR/index.example.com/%2e%2e/files.example.com/large",
    "$curl -w '%{http_code}' -o /dev/null $MIRROR/index.example.com%2fsimple/tinyhello/",
    "$curl -w '%{http_code}' -o /dev/null $MIRROR/index.example.com@evil.example.com/",
    "$curl -w '%{http_code}' -o /dev/null $MIRROR/$(head -c 1200 /dev/zero | tr '\\0' a)",
    "$curl -w '%{http_code}' -o /dev/null --proxytunnel -x $MIRROR http://index.example.com:443/",
    "$curl -w '%{http_code}' -o /dev/null -x $MIRROR http://evil.example.com/x",
]


async def test_no_request_leads_around_the_mirrors_list(world: World) -> None:
    result = await world.shell("; ".join(f"{line}; echo" for line in REFUSED))
    answers = result.stdout.text.split()
    assert len(answers) == len(REFUSED), (answers, result.stderr.text)
    assert [answer for answer in answers if answer not in {"400", "403", "405", "414", "000"}] == []
    assert await world.seen() == []
    assert all(one.sha256 is None for one in result.downloads)


async def test_the_registry_itself_is_not_reached(world: World) -> None:
    address = world.outside.address
    tries = [f"https://{INDEX}/simple/tinyhello/", f"https://{address}/", f"http://{address}:8443/state"]
    code = "; ".join(f"$curl -k --noproxy '*' -m 2 {url}; $curl -k -m 5 {url}" for url in tries)
    result = await world.shell(code + "; echo tried")
    assert result.stdout.text.splitlines()[-1] == "tried"
    assert "simple" not in result.stdout.text
    assert [(one.host, one.allowed) for one in result.connections if one.allowed] == []
    assert len(result.connections) == len(tries)
    assert await world.seen() == []


async def test_redirections_lead_to_what_is_mirrored_and_nowhere_else(world: World) -> None:
    fetch = "$curl -L -o /dev/null -w '%{http_code} ' $MIRROR/index.example.com/simple"
    result = await world.shell(f"{fetch}/tiny.hello/; {fetch}/moved/; {fetch}/away/")
    assert result.stdout.text.split()[:2] == ["200", "200"], result.stderr.text
    assert result.stdout.text.split()[2] not in {"200", "301"}
    assert {headers["Host"] for headers in await world.seen()} == {INDEX, FILES}


async def test_npms_metadata_leads_back_to_the_mirror(world: World) -> None:
    read = "import json, sys; print(json.load(sys.stdin)['versions']['1.0.0']['dist']['tarball'])"
    accept = "-H 'Accept: application/vnd.npm.install-v1+json; q=1.0, application/json; q=0.8, */*'"
    code = f'$curl {accept} ${{npm_config_registry}}tiny | python3 -c "{read}"'
    result = await world.shell(f"U=$({code}); echo $U; $curl $U | sha256sum")
    url, digest = result.stdout.text.split()[:2]
    assert url.endswith(f"/{NPM}/tiny/-/tiny-1.0.0.tgz")
    assert url.startswith("http://10.214.")
    assert digest == hashlib.sha256(TARBALL).hexdigest()
    assert digest in {one.sha256 for one in result.downloads}


async def test_a_download_that_is_broken_off_is_in_the_record(world: World) -> None:
    result = await world.shell(f"$curl $MIRROR/{FILES}/large | head -c 10; true")
    (file,) = files(result)
    assert (file.host, file.path) == (FILES, "/large")


async def test_a_registry_that_cannot_prove_its_name_is_not_believed(
    world: World, store: ArtifactStore, options: SandboxOptions
) -> None:
    """Its certificate is of other names: whoever answers in its place is not the registry."""
    mirror = world.settings.mirrors["package-registries"].model_copy(update={"npm_registry": f"https://{CDN}/"})
    settings = world.settings.model_copy(update={"mirrors": {"package-registries": mirror}})
    sandbox = DockerSandbox(world.engine, store, options, settings)
    other = world._replace(sandbox=sandbox)
    result = await other.shell("$curl -o /dev/null -w '%{http_code}' $npm_config_registry")
    await sandbox.close()
    assert result.stdout.text == "502"
    assert await world.seen() == []


def test_what_is_mirrored_cannot_be_open_as_well() -> None:
    with pytest.raises(ValueError, match=r"pypi\.org of 'package-registries' is mirrored and open at once"):
        EgressSettings(
            purposes={"package-registries": ("pypi.org",)},
            mirrors={"package-registries": MirrorSettings()},
            proxy_image=f"sha256:{'0' * 64}",
        )


@pytest.mark.parametrize(
    "url",
    [
        "http://pypi.org/simple/",
        "https://pypi.org/simple",
        "https://pypi.org/a b/",
        "https://u:p@pypi.org/",
        "https://pypi.org/$x/",
    ],
)
def test_a_registry_that_cannot_be_mirrored_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="python_index"):
        MirrorSettings(python_index=url)
