"""Running git for the twin: commands, a local repository brought in as a bare mirror, and smart HTTP.

Arguments never pass a shell, refs and paths never stand where git would read an option, and the environment has no
configuration of the person who runs this.
"""

import asyncio
import contextlib
import os
from collections.abc import AsyncGenerator, Mapping
from pathlib import Path
from typing import Final

_ENVIRONMENT: Final[Mapping[str, str]] = {
    "PATH": os.defpath + ":/usr/local/bin",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_TERMINAL_PROMPT": "0",
    "LC_ALL": "C",
}
# The repositories of a stack may belong to another user than the one who started it (a mounted volume).
_TRUST: Final = ("-c", "safe.directory=*")
_UPLOAD_PACK: Final = "--upload-pack=git -c safe.directory='*' upload-pack"
_SOURCE_REFS: Final = "refs/source/"
# The mirror's own refs for what the source had are nobody else's business.
_MIRROR_CONFIG: Final[Mapping[str, str]] = {
    "http.receivepack": "true",
    "uploadpack.allowAnySHA1InWant": "true",
    "uploadpack.allowFilter": "true",
    "transfer.hideRefs": _SOURCE_REFS.rstrip("/"),
    "gc.auto": "0",
}


class GitError(Exception):
    """git did not do what it was asked; the message is git's last line."""


async def git(*arguments: str, at: Path | None = None, stdin: bytes | None = None, index: Path | None = None) -> bytes:
    """Run git to its end, with an index of its own where one is named.

    Raises:
        GitError: It failed, or there is no git.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            "git",
            *_TRUST,
            *(("-C", str(at)) if at else ()),
            *arguments,
            env={**_ENVIRONMENT, **({"GIT_INDEX_FILE": str(index)} if index else {})},
            stdin=asyncio.subprocess.PIPE if stdin is not None else asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
    except (OSError, ValueError) as error:
        # ValueError: a NUL in an argument.
        raise GitError(f"git cannot be started: {error}; install git and try again") from error
    try:
        out, error = await process.communicate(stdin)
    except BaseException:
        await _end(process)
        raise
    if process.returncode != 0:
        lines = error.decode(errors="replace").strip().splitlines()
        raise GitError(lines[-1] if lines else f"git {arguments[0]} ended with {process.returncode}")
    return out


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def import_repository(source: Path, into: Path) -> None:
    """Make or bring up to date a bare mirror of a local repository: its branches and tags.

    What moved or went in the source since the last time moves or goes here; what was only pushed here stays. A work
    tree, a shallow clone and a detached HEAD are fine; uncommitted changes do not come along.

    Raises:
        GitError: The source is not a git repository, or has no commit.
    """
    place = await _located(source)
    await open_mirror(into)
    before = await _source_refs(into)
    await _fetch(place, into, f"+refs/heads/*:{_SOURCE_REFS}heads/*", f"+refs/tags/*:{_SOURCE_REFS}tags/*")
    try:
        branch = (await git("symbolic-ref", "--quiet", "HEAD", at=Path(place))).decode().strip()
    except GitError:
        # Detached: `main` is made to stand where the source stands.
        branch = "refs/heads/main"
        await _fetch(place, into, f"+HEAD:{_SOURCE_REFS}heads/main", prune=False)
    after = await _source_refs(into)
    # Deletions first: `a` has to go before `a/b` can come.
    await _move({name: None for name in before if name not in after}, into)
    await _move({name: sha for name, sha in after.items() if before.get(name) != sha}, into)
    await git("symbolic-ref", "HEAD", branch, at=into)


async def open_mirror(into: Path) -> None:
    """A bare repository that the twin can serve; one that is there stays as it is.

    Raises:
        GitError: git fails.
    """
    await git("init", "--quiet", "--bare", "--initial-branch=main", str(into))
    for name, value in _MIRROR_CONFIG.items():
        await git("config", name, value, at=into)


async def _located(source: Path) -> str:
    """The git folder behind a path."""
    try:
        place = (await git("rev-parse", "--absolute-git-dir", at=source)).decode().rstrip("\n")
    except GitError as error:
        raise GitError(f"{str(source)!r} is not a git repository: name one, or `git init` there ({error})") from error
    try:
        await git("rev-parse", "--verify", "--quiet", "HEAD^{commit}", at=Path(place))
    except GitError as error:
        raise GitError(f"{str(source)!r} has no commit yet: `git commit` there, and try again") from error
    return place


async def _fetch(place: str, into: Path, *refspecs: str, prune: bool = True) -> None:
    # A source that was shallow at the last import may have its whole history by now.
    was_shallow = (into / "shallow").exists()
    is_shallow = (await git("rev-parse", "--is-shallow-repository", at=Path(place))).strip() == b"true"
    depth = "--unshallow" if was_shallow and not is_shallow else "--update-shallow"
    options = ("--quiet", depth, "--no-write-fetch-head", "--no-tags", _UPLOAD_PACK)
    await git("fetch", *options, *(("--prune",) if prune else ()), "--", place, *refspecs, at=into)


async def _source_refs(into: Path) -> dict[str, str]:
    """What the source had at the last import: names as the source has them, and objects."""
    out = await git("for-each-ref", "--format=%(objectname) %(refname)", _SOURCE_REFS, at=into)
    lines = (line.partition(" ")[::2] for line in out.decode(errors="surrogateescape").splitlines())
    return {f"refs/{name.removeprefix(_SOURCE_REFS)}": sha for sha, name in lines}


async def _move(refs: Mapping[str, str | None], into: Path) -> None:
    if not refs:
        return
    orders = "".join(f"update {name}\0{sha}\0\0" if sha else f"delete {name}\0\0" for name, sha in refs.items())
    await git("update-ref", "-z", "--stdin", at=into, stdin=orders.encode(errors="surrogateescape"))


async def serve_http(environment: Mapping[str, str], body: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    """Let `git http-backend` answer one request; yields its CGI output, headers first."""
    process = await asyncio.create_subprocess_exec(
        "git",
        *_TRUST,
        "http-backend",
        env={**_ENVIRONMENT, **environment},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    feeding = asyncio.create_task(_feed(process, body))
    try:
        while process.stdout is not None and (chunk := await process.stdout.read(64 * 1024)):
            yield chunk
        await process.wait()
    finally:
        feeding.cancel()
        await asyncio.gather(feeding, return_exceptions=True)
        await _end(process)


async def _feed(process: asyncio.subprocess.Process, body: AsyncGenerator[bytes]) -> None:
    if process.stdin is None:
        return
    try:
        async for chunk in body:
            process.stdin.write(chunk)
            await process.stdin.drain()
    except (BrokenPipeError, ConnectionResetError):
        pass
    finally:
        process.stdin.close()
