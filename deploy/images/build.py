"""One function builds the images and says which they are, by digest.

The official base is pulled where a registry can be reached; elsewhere an equivalent one is made by `debootstrap`
from Debian's packages, and the record says so. What was built is kept in one JSON file: as long as nothing that goes
into an image has changed and the engine still holds it, nothing is built again.
"""

import asyncio
import contextlib
import fcntl
import hashlib
import io
import json
import sys
import tarfile
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, cast

from pydantic import AwareDatetime, TypeAdapter, ValidationError

from deploy.images.go_toolchain import ARCHIVE
from deploy.images.pulumi_cli import PROGRAMS
from sandbox.docker.engine import Engine
from sandbox.docker.hardening import LABEL_FIRST_PROCESS, LABEL_IMAGE
from sandbox.errors import ImageMissing, SandboxUnavailable
from sandbox.provisioning import BuiltImage, Images
from sandbox.wire import first_process_digest, first_process_files

_HERE: Final = Path(__file__).parent
_OFFICIAL: Final = ("debian", "bookworm-slim")
_MADE_HERE: Final = ("banksman/debian", "bookworm-minbase")
_KEPT: Final = timedelta(days=1)
"""How long an image that was replaced is held."""
_Replaced: Final[TypeAdapter[dict[str, datetime]]] = TypeAdapter(dict[str, AwareDatetime])


class ImageBuildFailed(Exception):
    """An image could not be built; the message ends with what the build said last."""


async def build_images(
    engine: Engine, record: Path, *, pulumi: Path | None = None, updates: Path | None = None
) -> Images:
    """Build what is missing or changed, and remove from the engine what this record replaced a day ago or earlier.

    Builds of one record wait for each other. What other records name stays: an engine may serve several.

    Args:
        engine: The engine that will run the images.
        record: The JSON file with the digests of the last build. What it names is this build's to remove.
        pulumi: The folder with Pulumi's programs, to build that image too; None keeps what the record has of it.
        updates: The folder with the tools for updates of dependencies; the same.

    Raises:
        ImageBuildFailed: A build, or the making of its base, failed.
        SandboxUnavailable: The engine is gone.
    """
    record.parent.mkdir(parents=True, exist_ok=True)
    with record.with_suffix(".lock").open("a") as one_at_a_time:
        await asyncio.to_thread(fcntl.flock, one_at_a_time, fcntl.LOCK_EX)
        return await _build_all(engine, record, pulumi, updates)


async def _build_all(engine: Engine, record: Path, pulumi: Path | None, updates: Path | None) -> Images:
    known = await asyncio.to_thread(_read, record)
    base_files = await asyncio.to_thread(_base_files)
    foundation = await _foundation(engine, known)
    base = await _build(engine, "base", foundation, base_files, known.base if known else None)
    proxy_files = {"Dockerfile": (_HERE / "proxy" / "Dockerfile").read_bytes()}
    proxy = await _build(engine, "proxy", base.digest, proxy_files, known.proxy if known else None)
    found = await _pulumi(engine, base, known, pulumi)
    tools = await _updates(engine, base, known, updates)
    images = Images(base=base, proxy=proxy, pulumi=found, updates=tools, foundation=foundation)
    await asyncio.to_thread(record.write_text, images.model_dump_json(indent=2) + "\n")
    await _remove_old(engine, record.with_suffix(".replaced.json"), images, known)
    return images


async def _pulumi(engine: Engine, base: BuiltImage, known: Images | None, programs: Path | None) -> BuiltImage | None:
    before = known.pulumi if known is not None and known.base == base else None
    if programs is None:
        return before
    files = await asyncio.to_thread(_pulumi_files, programs)
    return await _build(engine, "pulumi", base.digest, files, before)


async def _updates(engine: Engine, base: BuiltImage, known: Images | None, tools: Path | None) -> BuiltImage | None:
    before = known.updates if known is not None and known.base == base else None
    if tools is None:
        return before
    files = {path.name: path.read_bytes() for path in (_HERE / "updates").iterdir()}
    files |= {f"wheels/{path.name}": path.read_bytes() for path in sorted(tools.glob("wheels/*.whl"))}
    files[ARCHIVE] = await asyncio.to_thread((tools / ARCHIVE).read_bytes)
    return await _build(engine, "updates", base.digest, files, before)


def _pulumi_files(programs: Path) -> Mapping[str, bytes]:
    """The image's own files, the programs, their wheels, and the providers with a list of their digests."""
    files = {path.name: path.read_bytes() for path in (_HERE / "pulumi").iterdir()}
    files |= {name: (programs / name).read_bytes() for name in PROGRAMS}
    for path in sorted((*programs.glob("wheels/*.whl"), *programs.glob("plugins/*/*"))):
        files[str(path.relative_to(programs))] = path.read_bytes()
    plugins = {
        name.removeprefix("plugins/"): hashlib.sha256(content).hexdigest()
        for name, content in files.items()
        if name.startswith("plugins/")
    }
    return {**files, "plugins/plugins.json": json.dumps(plugins, indent=2, sort_keys=True).encode()}


async def _remove_old(engine: Engine, path: Path, images: Images, known: Images | None) -> None:
    """Remove what was replaced a while ago, and note what is replaced now: who began with it may still use it."""
    now = datetime.now(UTC)
    before = dict.fromkeys(known.digests, now) if known is not None else {}
    replaced = before | (await asyncio.to_thread(_read_replaced, path))
    kept = {digest: since for digest, since in replaced.items() if digest not in images.digests}
    for digest in [digest for digest, since in kept.items() if now - since > _KEPT]:
        # One that a container still has stays for `docker image prune`.
        with contextlib.suppress(SandboxUnavailable, ImageMissing):
            await engine.call(engine.api.remove_image, digest, force=True)
        del kept[digest]
    await asyncio.to_thread(path.write_bytes, _Replaced.dump_json(kept))


def _read_replaced(path: Path) -> dict[str, datetime]:
    """Images of earlier builds, and since when nothing names them."""
    try:
        return _Replaced.validate_json(path.read_bytes())
    except (FileNotFoundError, ValidationError):
        return {}


def _base_files() -> Mapping[str, bytes]:
    return {
        "Dockerfile": (_HERE / "base" / "Dockerfile").read_bytes(),
        **first_process_files(),
    }


def _read(record: Path) -> Images | None:
    try:
        return Images.model_validate_json(record.read_bytes())
    except (FileNotFoundError, ValidationError):
        return None


async def _foundation(engine: Engine, known: Images | None) -> str:
    """The digest of the base of all, pulled or made."""
    if known is not None and await _held(engine, known.foundation):
        return known.foundation
    name, tag = _OFFICIAL
    try:
        await engine.call(engine.api.pull, name, tag=tag)
        return await _digest(engine, f"{name}:{tag}")
    except (SandboxUnavailable, ImageMissing):
        sys.stderr.write(f"» {name}:{tag} cannot be pulled: making an equivalent base with debootstrap\n")
    return await _bootstrap(engine)


async def _held(engine: Engine, image: str) -> bool:
    try:
        await engine.call(engine.api.inspect_image, image)
    except ImageMissing:
        return False
    return True


async def _digest(engine: Engine, image: str) -> str:
    return str((await engine.call(engine.api.inspect_image, image))["Id"])


async def _bootstrap(engine: Engine) -> str:
    name, tag = _MADE_HERE
    with tempfile.TemporaryDirectory(prefix="banksman-base-") as folder:
        archive = str(Path(folder) / "base.tar")
        await _command("debootstrap", "--variant=minbase", "bookworm", f"{folder}/root")
        await _command("tar", "-C", f"{folder}/root", "--exclude=./var/cache/apt/archives/*", "-cf", archive, ".")
        await engine.call(engine.api.import_image_from_file, archive, repository=name, tag=tag)
    return await _digest(engine, f"{name}:{tag}")


async def _command(*argv: str) -> None:
    try:
        process = await asyncio.create_subprocess_exec(
            *argv, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
    except FileNotFoundError as error:
        raise ImageBuildFailed(f"{argv[0]!r} is needed to make a base image: install it") from error
    output, _ = await process.communicate()
    if process.returncode:
        raise ImageBuildFailed(f"{argv[0]!r} failed: {output[-300:].decode(errors='replace')!r}")


async def _build(
    engine: Engine, name: str, base: str, files: Mapping[str, bytes], known: BuiltImage | None
) -> BuiltImage:
    inputs = _inputs(base, files)
    if known is not None and known.inputs == inputs and await _held(engine, known.digest):
        return known
    sys.stderr.write(f"» building the {name} image\n")
    tag = f"banksman/{name}:{inputs[:12]}"
    labels = {LABEL_IMAGE: name, LABEL_FIRST_PROCESS: first_process_digest()}
    await engine.call(_build_now, engine, tag, _context(files), {"base": base, "labels": labels})
    return BuiltImage(digest=await _digest(engine, tag), inputs=inputs)


def _inputs(base: str, files: Mapping[str, bytes]) -> str:
    digest = hashlib.sha256(base.encode())
    for name in sorted(files):
        digest.update(f"\0{name}\0{len(files[name])}\0".encode() + files[name])
    return digest.hexdigest()


def _context(files: Mapping[str, bytes]) -> io.BytesIO:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            entry.mode = 0o644
            archive.addfile(entry, io.BytesIO(content))
    packed.seek(0)
    return packed


def _build_now(engine: Engine, tag: str, context: io.BytesIO, options: Mapping[str, object]) -> None:
    said: list[str] = []
    failure = ""
    for line in engine.api.build(
        fileobj=context,
        custom_context=True,
        tag=tag,
        rm=True,
        forcerm=True,
        decode=True,
        timeout=1200,
        labels=options["labels"],
        buildargs={"BASE": options["base"]},
        use_config_proxy=False,
    ):
        said.append(str(line.get("stream", "")))
        if "error" in line:
            failure = cast("str", line["error"])  # read on: an answer that is not read to its end stays open
    if failure:
        raise ImageBuildFailed(f"{tag!r} was not built: {failure[:300]!r} after {''.join(said)[-300:]!r}")
