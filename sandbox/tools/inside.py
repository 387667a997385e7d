"""What a tool does in its container: read, search, write, and tell what has changed.

It is sent with each order, as text, and uses the standard library only. Nothing that ran before it is alive, but the
work tree, git's folder and `/tmp` are as that left them. So it opens one name at a time and follows no link, puts a
file into place whole or not at all, and tells of changes with a folder of git's that it makes anew from the commit's
pack. Its answer is one line of JSON; what it does not do has the reason under `refused`.

    python3 -I -S -c THIS '{"tool": "read", …}'
"""

# ruff: noqa: S603, PLW1510, PTH102, PTH103, PTH108, PTH118, PTH123
# pathlib follows links and knows no open folders; git is the image's own, by the PATH that the order sets

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat
import subprocess  # noqa: TID251 - this file runs in the container
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = "/workspace"
TREE = "tree"
TEXT_BYTES = 65536
_LONGEST_LINE = 400
_HEAD_BYTES = 32768
_LARGEST = 8 * 1024 * 1024
_GIT = ("git", "-c", "core.quotePath=false", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null")


class Refused(Exception):
    """It is not done; the reason is told."""


def _folder(path: str, *, make: bool = False) -> int:
    """The folder of that path below the tree, opened one name at a time; where it is to be made, what is missing is.

    Raises:
        Refused: One of the names is no folder.
    """
    here = os.open(os.path.join(ROOT, TREE), os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    for name in path.split("/") if path else ():
        try:
            if make:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(name, 0o755, dir_fd=here)
            below = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=here)
        except OSError as error:
            raise Refused(f"{name!r} cannot be entered: {_what(here, name, error)}") from error
        finally:
            os.close(here)
        here = below
    return here


def _what(folder: int, name: str, error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return "there is no such folder"
    with contextlib.suppress(OSError):
        mode = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
        if stat.S_ISLNK(mode):
            return "it is a link, and links are not followed"
        if not stat.S_ISDIR(mode):
            return "it is no folder"
    return error.strerror or "it cannot be opened"


def _split(path: str) -> tuple[str, str]:
    folder, _, name = path.rpartition("/")
    return folder, name


def _kind(mode: int) -> str:
    return (
        "folder" if stat.S_ISDIR(mode) else "link" if stat.S_ISLNK(mode) else "file" if stat.S_ISREG(mode) else "other"
    )


def _content(folder: int, name: str, path: str) -> tuple[bytes, os.stat_result]:
    """A file's bytes.

    Raises:
        Refused: It is not there, is no plain file, or is too large.
    """
    try:
        found = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError as error:
        raise Refused(f"there is no file {path!r}") from error
    if (kind := _kind(found.st_mode)) != "file":
        raise Refused(f"{path!r} is a {kind}" if kind != "other" else f"{path!r} is no file")
    if found.st_size > _LARGEST:
        raise Refused(f"{path!r} has {found.st_size} bytes; at most {_LARGEST} are read")
    with open(os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder), "rb") as file:
        return file.read(_LARGEST), found


def list_files(asked: dict[str, Any]) -> dict[str, Any]:
    """What lies in a folder, and below it as deep as asked."""
    entries: list[list[Any]] = []
    top, most, size = _folder(asked["path"]), asked["most"], 0

    def look(folder: int, above: str, depth: int) -> None:
        nonlocal size
        for name in sorted(os.listdir(folder)):
            if not above and not asked["path"] and name == ".git":
                continue
            if len(entries) > most or size > TEXT_BYTES:
                return
            found = os.stat(name, dir_fd=folder, follow_symlinks=False)
            size += len(above) + len(name)
            kind = _kind(found.st_mode)
            entries.append([_shown(f"{above}{name}"), kind, found.st_size if kind == "file" else 0])
            if kind == "folder" and depth > 1:
                below = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
                try:
                    look(below, f"{above}{name}/", depth - 1)
                finally:
                    os.close(below)

    look(top, f"{asked['path']}/" if asked["path"] else "", asked["depth"])
    return {"entries": entries[:most], "more": len(entries) > most or size > TEXT_BYTES}


def read_file(asked: dict[str, Any]) -> dict[str, Any]:
    """Lines of a text."""
    folder, name = _split(asked["path"])
    content, _ = _content(_folder(folder), name, asked["path"])
    try:
        if b"\0" in content:
            raise Refused(f"{asked['path']!r} is no text")
        text = content.decode()
    except UnicodeDecodeError as error:
        raise Refused(f"{asked['path']!r} is no text in UTF-8") from error
    lines = text.split("\n")
    lines = [f"{line}\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])
    first = asked["first"]
    taken, size = 0, 0
    for line in lines[first - 1 : first - 1 + asked["lines"]]:
        size += len(line.encode())
        if size > TEXT_BYTES:
            break
        taken += 1
    wanted = lines[first - 1 : first - 1 + taken]
    if not wanted and first <= len(lines):
        raise Refused(f"line {first} of {asked['path']!r} alone is longer than {TEXT_BYTES} bytes")
    following = first + taken if first + taken <= len(lines) else None
    digest = hashlib.sha256(content).hexdigest()
    return {
        "text": "".join(wanted),
        "lines": len(lines),
        "following": following,
        "size": len(content),
        "sha256": digest,
    }


def search_files(asked: dict[str, Any]) -> dict[str, Any]:
    """Lines that match, by `git grep`: what git ignores, links and what is no text are passed over."""
    os.close(_folder(""))
    options = ["-z", "-n", "-I", "--untracked", "--no-color", "--full-name", "-F" if asked["fixed"] else "-E"]
    options += ["-i"] if asked["any_case"] else []
    argv = [*_GIT, "-C", os.path.join(ROOT, TREE), "grep", *options, "-e", asked["pattern"], "--"]
    argv += [f":(glob){one}" for one in asked["paths"]]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=_environment()) as grep:
        hits, more = _hits(grep.stdout, asked["most"]) if grep.stdout else ([], False)
        if more:
            grep.kill()
        complaint = grep.stderr.read(500).decode(errors="replace") if grep.stderr and not more else ""
    if not more and grep.returncode not in {0, 1}:
        raise Refused(f"the search does not work: {complaint.strip()[:300]}")
    return {"hits": hits, "more": more}


def _hits(lines: Any, most: int) -> tuple[list[list[Any]], bool]:
    hits: list[list[Any]] = []
    size = 0
    for line in lines:
        path, _, rest = line.rstrip(b"\n").partition(b"\0")
        number, _, text = rest.partition(b"\0")
        shown = text.decode(errors="replace")
        shown = shown if len(shown) <= _LONGEST_LINE else f"{shown[:_LONGEST_LINE]}…"
        size += len(shown.encode()) + len(path)
        if len(hits) >= most or size > TEXT_BYTES:
            return hits, True
        hits.append([_shown(os.fsdecode(path)), int(number) if number.isdigit() else 0, shown])
    return hits, False


def write_file(asked: dict[str, Any]) -> dict[str, Any]:
    """Put a file into place, whole: its new content, the old one with pieces replaced, or nothing any more."""
    path, given = asked["path"], asked["given"]
    into, name = _split(path)
    folder = _folder(into, make=given is not None and not asked["replace"])
    try:
        found = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        found = None
    if found is not None and (kind := _kind(found.st_mode)) != "file":
        raise Refused(f"{path!r} is a {kind}, and only files are written")
    before = _content(folder, name, path)[0] if found is not None else None
    if asked["expects"] is not None and asked["expects"] != (
        hashlib.sha256(before).hexdigest() if before is not None else ""
    ):
        raise Refused(f"{path!r} is not as it was read: read it again")
    content = _new(asked, before)
    if content is None:
        if found is None:
            raise Refused(f"there is no file {path!r}")
        os.unlink(name, dir_fd=folder)
        return {"made": "deleted", "size": 0, "sha256": ""}
    executable = (
        asked["executable"] if asked["executable"] is not None else bool(found and found.st_mode & stat.S_IXUSR)
    )
    _place(folder, name, content, 0o755 if executable else 0o644)
    return {
        "made": "changed" if found else "created",
        "size": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
    }


def _new(asked: dict[str, Any], before: bytes | None) -> bytes | None:
    if asked["delete"]:
        return None
    if not asked["replace"]:
        with open(os.path.join(ROOT, asked["given"]), "rb") as file:
            return file.read()
    if before is None:
        raise Refused(f"there is no file {asked['path']!r} to replace something in")
    with open(os.path.join(ROOT, asked["given"]), "rb") as file:
        pairs = json.load(file)
    for number, (old, new) in enumerate(pairs, 1):
        there = before.count(old.encode())
        if there != 1:
            how = "is not in" if there == 0 else f"is {there} times in"
            raise Refused(f"what replacement {number} looks for {how} {asked['path']!r}: it must be there once")
        before = before.replace(old.encode(), new.encode())
    return before


def _place(folder: int, name: str, content: bytes, mode: int) -> None:
    """Beside the tree first: a name that another file has as well (a hard link) is replaced, never written through."""
    root = os.open(ROOT, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    beside = f"new-{os.urandom(8).hex()}"
    with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode, dir_fd=root), "wb") as file:
        try:
            file.write(content)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.rename(beside, name, src_dir_fd=root, dst_dir_fd=folder)
        except OSError as error:
            os.unlink(beside, dir_fd=root)
            raise Refused(f"it cannot be written: {error.strerror}") from error


def look_at_changes(asked: dict[str, Any]) -> dict[str, Any]:
    """What differs from the commit, as git would take it: each path with its kind of change and its mode."""
    git = _fresh_git(asked)
    git("add", "--all", "--", ".")
    raw = git("diff-index", "--cached", "--raw", "-z", "--no-renames", "--abbrev=40", asked["commit"])
    parts = raw.split(b"\0")
    changes = [[os.fsdecode(path), *_change(meta)] for meta, path in zip(parts[::2], parts[1::2], strict=False)]
    return {
        "changes": [[_shown(path), *rest] for path, *rest in changes[: asked["most"]]],
        "more": len(changes) > asked["most"],
    }


def _change(meta: bytes) -> tuple[str, str]:
    """`:OLDMODE NEWMODE OLD NEW STATUS`, as a word and the mode that matters."""
    old, new, _, _, status = meta.decode().removeprefix(":").split(" ")
    word = {"A": "added", "D": "deleted"}.get(status[:1], "changed")
    return word, old if word == "deleted" else new


def keep_changes(asked: dict[str, Any]) -> dict[str, Any]:
    """The patch of these paths and the new content of each, in the folder that the order keeps."""
    git = _fresh_git(asked)
    with open(os.path.join(ROOT, asked["given"]), "rb") as file:
        paths: list[str] = json.load(file)
    names = "\0".join(paths).encode()
    git("add", "--all", "--pathspec-from-file=-", "--pathspec-file-nul", said=names)
    out = os.path.join(ROOT, asked["out"])
    os.mkdir(out, 0o700)
    plain = ("--no-renames", "--no-ext-diff", "--no-textconv", "--no-color")
    patch = git("diff", "--cached", "--binary", "--full-index", *plain, asked["commit"])
    with open(os.path.join(out, "patch"), "xb") as file:
        file.write(patch)
    counts = git("diff", "--cached", "--numstat", "-z", *plain, asked["commit"]).split(b"\0")
    for number, path in enumerate(paths):
        if git("ls-files", "-z", "--", path) == os.fsencode(f"{path}\0"):
            with open(os.path.join(out, str(number)), "xb") as file:
                file.write(git("cat-file", "blob", f":{path}"))
    lines = [line.decode(errors="replace").split("\t", 2) for line in counts if line]
    return {"lines": lines, "head": patch[:_HEAD_BYTES].decode(errors="replace")}


def _fresh_git(asked: dict[str, Any]) -> Callable[..., bytes]:
    """Git with a folder of its own, made of the commit's pack: what ran before may have changed the tree's."""
    os.close(_folder(""))
    home = os.path.join(ROOT, f"git-{os.urandom(8).hex()}")
    pack = os.path.join(ROOT, asked["pack"])

    def git(*arguments: str, said: bytes = b"") -> bytes:
        argv = [
            *_GIT,
            "--literal-pathspecs",
            "-c",
            "core.bare=false",
            f"--git-dir={home}",
            f"--work-tree={ROOT}/{TREE}",
            *arguments,
        ]
        done = subprocess.run(argv, input=said, capture_output=True, env=_environment(), cwd=f"{ROOT}/{TREE}")
        if done.returncode:
            raise Refused(f"git does not take it: {done.stderr.decode(errors='replace').strip()[:300]}")
        return done.stdout

    git("init", "--quiet")
    with open(pack, "rb") as file:
        git("index-pack", "--stdin", said=file.read())
    os.unlink(pack)
    with open(os.path.join(home, "shallow"), "x") as file:
        file.write(asked["commit"] + "\n")
    # What the tree's attributes call binary would be a patch that nobody can read.
    os.makedirs(os.path.join(home, "info"), exist_ok=True)
    with open(os.path.join(home, "info", "attributes"), "w") as file:
        file.write("* !diff\n")
    git("read-tree", asked["commit"])
    return git


def _environment() -> dict[str, str]:
    plain = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}
    return {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "LANG": "C.UTF-8", **plain}


def _shown(name: str) -> str:
    """A name that JSON can hold; what is not UTF-8 in it is written out."""
    return os.fsencode(name).decode(errors="backslashreplace")


_TOOLS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "list": list_files,
    "read": read_file,
    "search": search_files,
    "write": write_file,
    "look": look_at_changes,
    "keep": keep_changes,
}


def _answered(asked: dict[str, Any]) -> dict[str, Any]:
    try:
        return _TOOLS[asked["tool"]](asked)
    except Refused as reason:
        return {"refused": str(reason)}
    except OSError as error:
        return {"refused": f"{asked.get('path', '')!r}: {error.strerror}"}
    finally:
        for name in ("given", "pack"):
            if asked.get(name):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(os.path.join(ROOT, asked[name]))


def main() -> None:
    """Do what is asked, and answer."""
    os.umask(0o022)
    sys.stdout.write(json.dumps(_answered(json.loads(sys.argv[1]))))


if __name__ == "__main__":
    main()
