"""Finds the programs that this project uses and does not carry: what is here, in which version, how to get the rest.

A tool is looked for on PATH, then in a cache outside the repository, then fetched: the official release, checked
against the digest written here; where that cannot be reached, built from source with Go, whose checksum database
vouches for it.
"""

import asyncio
import os
import platform
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from pathlib import Path
from typing import Final

import httpx
from pydantic import BaseModel, ConfigDict

from connectors.authorities import authorities

Progress = Callable[[str], None]

CACHE: Final = Path.home() / ".cache" / "banksman"
"""What is fetched and built for this user, outside every repository: tools, images, the engine's data."""

DEFAULT_CACHE: Final = CACHE / "tools"
_PROBE_SECONDS: Final = 10.0
_BUILD_SECONDS: Final = 1_800.0
_DOWNLOAD: Final = httpx.Timeout(60.0, connect=4.0)
_LAST_LINES: Final = 3
_EXECUTABLE: Final = 0o755
APT_GET: Final = ("flock", "/var/lock/banksman-apt.lock", "apt-get")
"""Debian's installer, one of ours at a time: it gives up at once where another holds its own lock."""


def tell(line: str) -> None:
    """Say on standard error what is being done; a `Progress`."""
    sys.stderr.write(f"» {line}\n")


class Tool(StrEnum):
    """The programs, by the names people know them by."""

    PYTHON = "python"
    GIT = "git"
    TEMPORAL = "temporal"
    BAO = "bao"
    DOCKER = "docker client"
    ENGINE = "docker engine"
    USER_NAMESPACE = "user namespace"
    COMPOSE = "docker compose"
    PROMTOOL = "promtool"
    CHROMIUM = "chromium"
    GO = "go"
    PROMETHEUS = "prometheus"
    COLLECTOR = "otelcol-contrib"
    LOG_STORE = "victoria-logs"
    JAEGER = "jaeger"
    NODE = "node"


class ToolReport(BaseModel):
    """One row of `banksman doctor`."""

    model_config = ConfigDict(frozen=True)

    name: str
    found: bool
    version: str | None
    path: str | None
    how: str | None = None
    """How it was had."""
    needed_for: str
    required: bool
    how_to_get: str


@dataclass(frozen=True, slots=True)
class Resolved:
    """A tool that can be run."""

    command: tuple[str, ...]
    """What to put before its arguments."""
    version: str
    how: str
    """Where it came from, for people."""

    @property
    def path(self) -> Path:
        """The program itself."""
        return Path(self.command[0])


class ToolUnavailableError(Exception):
    """A tool is not here and cannot be had; the message says what was tried and what to do."""


@dataclass(frozen=True, slots=True)
class _Facts:
    """How to recognise a tool. `probes` are tried in order; the first group of `pattern` is the version."""

    probes: tuple[tuple[str, ...], ...]
    needed_for: str
    how_to_get: str
    required: bool = False
    pattern: str = r"(\d+\.\d+[\w.+-]*)"
    least: tuple[int, ...] = ()
    own_arguments: int = 1
    """How many words of a probe come after the command itself."""


_OWN_ENGINE: Final = f"unix://{CACHE}/docker/docker.sock"
"""Where the embedded environment's own container engine listens while one runs."""

_OBSERVABILITY: Final = "`banksman up --observability`"
_BUILT: Final = "`banksman up --observability` builds it; that needs Go: https://go.dev/dl/"

_FACTS: Final[dict[Tool, _Facts]] = {
    Tool.PYTHON: _Facts(
        ((sys.executable, "--version"),),
        "everything",
        "install Python 3.11, 3.12 or 3.13",
        required=True,
        least=(3, 11),
    ),
    Tool.GIT: _Facts(
        (("git", "--version"),), "the repositories behind the GitHub twin", "apt-get install git", required=True
    ),
    Tool.TEMPORAL: _Facts(
        (("temporal", "--version"),), "workflows: the embedded environment's server", "make install", required=True
    ),
    Tool.BAO: _Facts(
        (("bao", "version"),), "credentials: the embedded environment's Vault", "make install", required=True
    ),
    Tool.DOCKER: _Facts(
        (("docker", "--version"),),
        "images and sandboxes",
        "https://docs.docker.com/engine/install/, or on Debian: apt-get install docker.io",
    ),
    Tool.ENGINE: _Facts(
        (
            ("docker", "version", "--format", "{{.Server.Version}}"),
            ("docker", "--host", _OWN_ENGINE, "version", "--format", "{{.Server.Version}}"),
        ),
        "images and sandboxes",
        "start it: systemctl start docker, or Docker Desktop",
        pattern=r"^(\d\S*)",
        own_arguments=3,
    ),
    Tool.USER_NAMESPACE: _Facts(
        (
            ("docker", "info", "--format", "{{.SecurityOptions}}"),
            ("docker", "--host", _OWN_ENGINE, "info", "--format", "{{.SecurityOptions}}"),
        ),
        "sandboxes: without it root in a container is root here, and one flaw in the kernel is enough to get out",
        'put "userns-remap": "default" into /etc/docker/daemon.json, and start the engine again',
        pattern=r"name=(userns|rootless)",
        own_arguments=3,
    ),
    Tool.COMPOSE: _Facts(
        (("docker", "compose", "version", "--short"), ("docker-compose", "version", "--short")),
        "the stack of docker-compose.yml",
        "https://docs.docker.com/compose/install/linux/",
        least=(2, 24),
        own_arguments=2,
    ),
    Tool.PROMTOOL: _Facts(
        (("promtool", "--version"),), "the tests of the alert rules", "on Debian: apt-get install prometheus"
    ),
    Tool.CHROMIUM: _Facts(
        (("chromium", "--version"), ("chromium-browser", "--version"), ("google-chrome", "--version")),
        "the tests of web pages",
        "on Debian: apt-get install chromium",
    ),
    Tool.GO: _Facts(
        (("go", "version"),), "building tools that cannot be downloaded", "https://go.dev/dl/", pattern=r"go(\d+\.\S+)"
    ),
    Tool.PROMETHEUS: _Facts((("prometheus", "--version"),), _OBSERVABILITY, _BUILT, least=(3, 0)),
    Tool.COLLECTOR: _Facts((("otelcol-contrib", "--version"),), _OBSERVABILITY, _BUILT),
    Tool.LOG_STORE: _Facts((("victoria-logs", "-version"),), _OBSERVABILITY, _BUILT, pattern=r"v(\d+\.\d+\.\d+)"),
    Tool.JAEGER: _Facts(
        (("jaeger", "version"),),
        f"{_OBSERVABILITY}: traces in Jaeger, beside our own page",
        "with its page: https://www.jaegertracing.io/download/; without it `banksman up --observability` builds it",
        pattern=r'"gitVersion":"v(\d+\.\d+\.\d+)"',
        least=(2, 0),
    ),
    Tool.NODE: _Facts(
        (("node", "--version"),),
        "the tests of queries, by the grammars of Prometheus and Grafana",
        "https://nodejs.org, or on Debian: apt-get install nodejs npm",
        least=(18,),
    ),
}

_COMPOSE_VERSION: Final = "v2.40.3"
# The digests that the recipe of Docker's official image `docker` checks the same files against.
_COMPOSE_RELEASES: Final = {
    "x86_64": "dba9d98e1ba5bfe11d88c99b9bd32fc4a0624a30fafe68eea34d61a3e42fd372",
    "aarch64": "d26373b19e89160546d15407516cc59f453030d9bc5b43ba7faf16f7b4980137",
}
_COMPOSE_URL: Final = "https://github.com/docker/compose/releases/download/{version}/docker-compose-linux-{machine}"
_COMPOSE_MODULE: Final = "github.com/docker/compose/v2"


async def survey() -> list[ToolReport]:
    """What this machine has and lacks, without changing it; a few seconds at most."""
    return list(await asyncio.gather(*(_report(tool) for tool in Tool)))


async def resolve(tool: Tool, *, progress: Progress = lambda _: None, cache: Path = DEFAULT_CACHE) -> Resolved:
    """The tool, fetched into the cache when it is not here. Minutes, where it must be built.

    Args:
        tool: Which one.
        progress: Told in one line what is being done.
        cache: Where fetched tools are kept, outside the repository.

    Raises:
        ToolUnavailableError: It is not here and cannot be had.
    """
    if (found := await _on_path(tool)) is not None:
        return found
    match tool:
        case Tool.COMPOSE:
            return await _fetch_compose(cache / f"docker-compose-{_COMPOSE_VERSION}", progress)
        case Tool.PROMTOOL:
            return await _fetch_promtool(cache / "promtool", progress)
        case Tool.CHROMIUM:
            return await _install_chromium(progress)
        case _:
            raise ToolUnavailableError(f"{tool.value} is not here: {_FACTS[tool].how_to_get}")


async def _report(tool: Tool) -> ToolReport:
    facts, found = _FACTS[tool], await _on_path(tool)
    return ToolReport(
        name=tool.value,
        found=found is not None,
        version=found.version if found else None,
        path=str(found.path) if found else None,
        how=found.how if found else None,
        needed_for=facts.needed_for,
        required=facts.required,
        how_to_get=facts.how_to_get,
    )


async def _on_path(tool: Tool) -> Resolved | None:
    facts = _FACTS[tool]
    for name, *arguments in facts.probes:
        # Wheels put their programs beside our own interpreter, which need not be on PATH.
        path = shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)
        if path is None:
            continue
        words = (path, *arguments)
        if (version := await _version(words, facts)) is not None:
            return Resolved(words[: len(words) - facts.own_arguments], version, "on PATH")
    return None


async def _version(words: Sequence[str], facts: _Facts) -> str | None:
    """The version that a probe prints, when it is new enough."""
    try:
        code, text = await run_program(words, seconds=_PROBE_SECONDS)
    except (OSError, TimeoutError):
        return None
    match = re.search(facts.pattern, text)
    if code != 0 or match is None:
        return None
    return match.group(1) if _numbers(match.group(1)) >= facts.least else None


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version)[:3])


async def run_program(
    words: Sequence[str], *, seconds: float, cwd: Path | None = None, environment: Mapping[str, str] | None = None
) -> tuple[int, str]:
    """Run a program without input; its exit code and what it printed. It is ended when it takes longer.

    Args:
        words: Program and arguments; no shell.
        seconds: How long it may take.
        cwd: Where it runs; here when left out.
        environment: The whole of it; this process's own when left out.

    Raises:
        OSError: It cannot be started.
        TimeoutError: It took longer.
    """
    process = await asyncio.create_subprocess_exec(
        *words,
        cwd=cwd,
        env=environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(seconds):
            output, _ = await process.communicate()
    except BaseException:
        if process.returncode is None:
            process.kill()
            await process.wait()
        raise
    return process.returncode or 0, output.decode("utf-8", "replace")


async def require_success(words: Sequence[str], *, cwd: Path) -> None:
    """Run a program that may take minutes.

    Raises:
        ToolUnavailableError: It failed, or took too long; the message has its last lines.
    """
    try:
        code, text = await run_program(words, seconds=_BUILD_SECONDS, cwd=cwd)
    except TimeoutError as error:
        raise ToolUnavailableError(f"{' '.join(words)!r} took more than {_BUILD_SECONDS:.0f} s") from error
    if code != 0:
        last = " / ".join(text.strip().splitlines()[-_LAST_LINES:])
        raise ToolUnavailableError(f"{' '.join(words)!r} failed: {last}")


async def _fetch_compose(folder: Path, progress: Progress) -> Resolved:
    program, version = folder / "docker-compose", _COMPOSE_VERSION.removeprefix("v")
    if program.exists():
        return Resolved((str(program),), version, "in the cache")
    folder.mkdir(parents=True, exist_ok=True)
    progress(f"fetching docker compose {_COMPOSE_VERSION} from its release")
    try:
        await _download_compose(program)
    except (httpx.HTTPError, ToolUnavailableError) as error:
        progress(
            f"no release to be had ({error or type(error).__name__}); building it with Go, which takes some minutes"
        )
        await _build_compose(program)
        return Resolved((str(program),), version, "built with Go")
    return Resolved((str(program),), version, "from its release")


async def _download_compose(program: Path) -> None:
    machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(platform.machine().lower(), platform.machine())
    if platform.system() != "Linux" or (digest := _COMPOSE_RELEASES.get(machine)) is None:
        raise ToolUnavailableError(f"no release is pinned for {platform.system()} on {machine}")
    url = _COMPOSE_URL.format(version=_COMPOSE_VERSION, machine=machine)
    async with httpx.AsyncClient(verify=authorities(), follow_redirects=True, timeout=_DOWNLOAD) as client:
        answer = await client.get(url)
        answer.raise_for_status()
    if sha256(answer.content).hexdigest() != digest:
        raise ToolUnavailableError(f"what {url} gave is not what was pinned")
    _place(answer.content, program)


async def _build_compose(program: Path) -> None:
    stamp = f"-X {_COMPOSE_MODULE}/internal.Version={_COMPOSE_VERSION}"
    await build_go(
        await resolve(Tool.GO), f"{_COMPOSE_MODULE}/cmd", version=_COMPOSE_VERSION, flags=stamp, into=program
    )


async def build_go(  # noqa: PLR0913 - each is a fact of one build
    go: Resolved, package: str, *, version: str, flags: str, into: Path, module: str | None = None, tags: str = ""
) -> Path:
    """Build one program from a pinned module, which Go checks against its checksum database.

    Args:
        go: Go.
        package: What to build.
        version: Of its module.
        flags: For the linker.
        into: The program; it appears when it is whole.
        module: A module whose source is asked for.
        tags: For the compiler.

    Returns:
        Where the module's source lies, or the folder of the program.

    Raises:
        ToolUnavailableError: The module cannot be had, or was not built.
    """
    with tempfile.TemporaryDirectory(prefix="build-", dir=into.parent) as name:
        folder = Path(name)
        folder.joinpath("go.mod").write_text("module banksman.local/tool\n\ngo 1.24\n", encoding="utf-8")
        await require_success([*go.command, "get", f"{package}@{version}"], cwd=folder)
        # Static: it may run in a container with another C library.
        build = ["env", "CGO_ENABLED=0", *go.command, "build", "-mod=mod", "-trimpath", "-tags", tags]
        await require_success([*build, "-ldflags", flags, "-o", "program", package], cwd=folder)
        folder.joinpath("program").replace(into)
        if module is None:
            return into.parent
        where = [*go.command, "list", "-m", "-f", "{{.Dir}}", module]
        _, said = await run_program(where, seconds=_BUILD_SECONDS, cwd=folder)
        return Path(said.strip().splitlines()[-1])


async def _fetch_promtool(folder: Path, progress: Progress) -> Resolved:
    """Unpack it from Debian's package: installing that would start a server."""
    program = folder / "usr/bin/promtool"
    if not program.exists():
        if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
            raise ToolUnavailableError(f"promtool is not here: {_FACTS[Tool.PROMTOOL].how_to_get}")
        folder.mkdir(parents=True, exist_ok=True)
        progress("fetching promtool from Debian's package prometheus")
        if os.geteuid() == 0:  # a new machine may have no list of packages yet
            await require_success([*APT_GET, "update"], cwd=folder)
        with tempfile.TemporaryDirectory(prefix="fetch-", dir=folder) as name:
            await require_success(
                ["apt-get", "download", "-o", "APT::Sandbox::User=root", "prometheus"], cwd=Path(name)
            )
            package = next(Path(name).glob("*.deb"))
            await require_success(["dpkg-deb", "--extract", str(package), str(folder)], cwd=Path(name))
    version = await _version((str(program), "--version"), _FACTS[Tool.PROMTOOL])
    if version is None:
        raise ToolUnavailableError(f"{program} does not run; remove its folder and install prometheus")
    return Resolved((str(program),), version, "from Debian's package")


async def _install_chromium(progress: Progress) -> Resolved:
    """Where we are root on Debian; it needs too many libraries to be unpacked beside the system."""
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise ToolUnavailableError(f"chromium is not here: {_FACTS[Tool.CHROMIUM].how_to_get}")
    progress("installing Debian's package chromium")
    await require_success([*APT_GET, "update"], cwd=Path("/"))
    await require_success([*APT_GET, "install", "-y", "--no-install-recommends", "chromium"], cwd=Path("/"))
    if (found := await _on_path(Tool.CHROMIUM)) is None:
        raise ToolUnavailableError("Debian's package chromium was installed and does not run: try `chromium --version`")
    return found


def _place(content: bytes, program: Path) -> None:
    """Write a program in one step, so that nobody runs half of it."""
    with tempfile.NamedTemporaryFile(dir=program.parent, delete=False) as file:
        file.write(content)
    Path(file.name).chmod(_EXECUTABLE)
    Path(file.name).replace(program)
