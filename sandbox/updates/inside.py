"""What an update of dependencies does in its container: find one lock file, have its own tool write it, fetch, audit.

It is sent with each order, as text, and uses the standard library only. It runs uv or npm, and neither runs code of a
package: uv takes wheels alone, npm leaves scripts out. While a tool works, addresses of registries in its files lead to
the mirror, which is all that it reaches; then they are put back. Its answer is one line of JSON; what is not done has
the reason under `refused`.

    python3 -I -S -c THIS '{"do": "update", …}'
"""

# ruff: noqa: S603, PLW1510, TID251
# the tools are the image's own, by the PATH that the order sets; this file runs in the container

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any, cast

LOCKS = {"uv.lock": "python", "package-lock.json": "npm"}
_TOOLS = {"python": "uv", "npm": "npm"}
_MANIFESTS = {"python": "pyproject.toml", "npm": "package.json"}
_PYTHON = shutil.which("python3") or "python3"
_TAIL = 600
_MOST_LINKS = 500
_LONGEST = 300
_CHANGES = re.compile(r"change|release|history|news|what'?s new", re.IGNORECASE)
_LOCAL = re.compile(r'source = \{ (?:editable|directory|virtual) = "([^"]+)" \}')
_GIT = ("git", "-c", "core.quotePath=false", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null")
_QUIET = ("--no-build", "--no-progress", "--color", "never", "--no-python-downloads")
_UV = (*_QUIET, "--python", _PYTHON)
_NPM = ("--ignore-scripts", "--no-audit", "--no-fund", "--no-progress", "--loglevel=error")


class Refused(Exception):
    """It is not done; the reason is told."""


def _git(*argv: str) -> bytes:
    return subprocess.run([*_GIT, *argv], capture_output=True, check=True).stdout


def _run(folder: Path, *argv: str, answers: tuple[int, ...] = (0,), **more: str) -> subprocess.CompletedProcess[str]:
    """One program to its end.

    Raises:
        Refused: It is not in the image, or it ended otherwise.
    """
    if shutil.which(argv[0]) is None:
        raise Refused(f"the image has no {argv[0]!r}: build it with `python -m deploy.images --updates`")
    ran = subprocess.run(argv, cwd=folder, env={**os.environ, **more}, capture_output=True, text=True, errors="replace")
    if ran.returncode not in answers:
        said = (ran.stderr.strip() or ran.stdout.strip())[-_TAIL:]
        raise Refused(f"`{' '.join(argv[:2])}` ended with {ran.returncode}: {said}")
    return ran


def _lock(asked: dict[str, Any]) -> str:
    """The path of the one lock file that is meant.

    Raises:
        Refused: There is none, or there are several.
    """
    names = [name for name, of in LOCKS.items() if asked["ecosystem"] in (None, of)]
    listed = _git("ls-files", "-z", "--", *(f":(glob)**/{name}" for name in names)).decode(errors="replace")
    found = [one for one in listed.split("\0") if one and "node_modules/" not in one]
    if asked["write"]:
        within = _git("ls-files", "-z", "--", *(f":(glob){one}" for one in asked["write"])).decode(errors="replace")
        found = [one for one in found if one in within.split("\0")]
    if not found:
        raise Refused(f"there is no {' and no '.join(names)} here: other lock files are not updated yet")
    if len(found) > 1:
        raise Refused(
            f"there are {len(found)} lock files, and one pull request is for one: name it in 'write', as one of "
            f"{', '.join(sorted(found)[:10])}"
        )
    return found[0]


class Tree:
    """The folder of one lock file, whose addresses lead to the mirror until `back`."""

    def __init__(self, lock: str, hosts: list[str], mirror: str) -> None:
        self.lock, self.hosts, self.mirror = Path(lock), hosts, mirror
        self.folder, self.ecosystem = self.lock.parent, LOCKS[self.lock.name]
        self.manifest = self.folder / _MANIFESTS[self.ecosystem]
        if any(one.is_symlink() or not one.is_file() for one in (self.lock, self.manifest)):
            raise Refused(f"{lock!r} or {str(self.manifest)!r} is no plain file")
        if any(one.is_symlink() for one in self.lock.parents):
            raise Refused(f"{lock!r} lies behind a link")
        self.before = self.lock.read_text(encoding="utf-8")

    def lead(self, text: str) -> str:
        """The same with the registries' addresses at the mirror."""
        for host in self.hosts:
            text = text.replace(f"https://{host}/", f"{self.mirror}/{host}/")
        return text

    def begin(self, text: str) -> None:
        """The lock file as this, and the manifest, for a tool. What says where npm asks is taken away."""
        self.lock.write_text(self.lead(text), encoding="utf-8")
        manifest = _git("show", f"HEAD:./{self.manifest}").decode()
        self.manifest.write_text(self.lead(manifest), encoding="utf-8")
        for odd in {self.folder / ".npmrc", Path(".npmrc")}:
            odd.unlink(missing_ok=True)

    @property
    def index(self) -> str:
        """The index as the lock file writes it, with a slash at its end or without."""
        index = os.environ.get("UV_DEFAULT_INDEX", "")
        return index if f'"{index}"' in self.lead(self.before) else index.rstrip("/")

    def now(self) -> str:
        """The lock file as a tool left it, with the registries' own addresses."""
        return self.lock.read_text(encoding="utf-8").replace(f"{self.mirror}/", "https://")


def _static(tree: Tree) -> None:
    """Look whether uv can read what the repository's own projects need without running any code of theirs.

    Raises:
        Refused: One of them would be built.
    """
    if tree.ecosystem != "python":
        return
    root = _project(tree.folder)
    uv: Any = root.get("tool", {}).get("uv", {})
    local = {Path(one) for one in _LOCAL.findall(tree.before)}
    sources: dict[str, Any] = uv.get("sources", {})
    for one in sources.values():
        entries = cast("list[dict[str, Any]]", one if isinstance(one, list) else [one])
        local |= {Path(str(entry["path"])) for entry in entries if "path" in entry}
    members = [one for glob in uv.get("workspace", {}).get("members", []) for one in tree.folder.glob(glob)]
    for folder in [tree.folder, *(tree.folder / one for one in local), *members]:
        if not folder.is_dir():
            continue
        said = _project(folder)
        dynamic: Any = said.get("project", {}).get("dynamic", [])
        if "project" not in said or {"dependencies", "optional-dependencies"} & set(dynamic):
            name = str(folder / "pyproject.toml")
            raise Refused(
                f"{name!r} does not say what it needs as plain text, and no code is run to ask: write it there"
            )


def _project(folder: Path) -> dict[str, Any]:
    try:
        return tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise Refused(f"{str(folder / 'pyproject.toml')!r} cannot be read: {error}") from error


def _upgraded(tree: Tree, packages: list[str]) -> str:
    """The lock file after its tool has updated these, or all."""
    tree.begin(tree.before)
    if tree.ecosystem == "python":
        which = [part for one in packages for part in ("--upgrade-package", one)] or ["--upgrade"]
        _run(tree.folder, "uv", "lock", *_UV, *which, UV_DEFAULT_INDEX=tree.index)
    else:
        _run(tree.folder, "npm", "update", "--package-lock-only", *_NPM, "--", *packages)
    return tree.now()


def _fetched(tree: Tree, text: str, into: Path) -> list[str]:
    """What tests need, fetched by digest and unpacked: the folders below the workspace that have it."""
    tree.begin(text)
    if tree.ecosystem == "npm":
        _run(tree.folder, "npm", "ci", *_NPM)
        return [str(Path("tree") / tree.folder / "node_modules")]
    wanted = into / "requirements.txt"
    _run(
        tree.folder, "uv", "export", "--quiet", "--frozen", "--no-emit-workspace", "--all-extras", "--no-header",
        "--format", "requirements-txt", "--output-file", str(wanted), "--python", _PYTHON, "--no-python-downloads",
    )  # fmt: skip
    target = into / "libraries"
    target.mkdir()
    _run(
        tree.folder, "uv", "pip", "install", *_UV, "--no-deps", "--require-hashes", "--target", str(target),
        "--requirement", str(wanted),
    )  # fmt: skip
    return ["libraries"]


def _links(tree: Tree, into: Path) -> dict[str, str]:
    """Where packages say that their changes are told, or where they are made. Strangers' words."""
    found: dict[str, str] = {}
    if tree.ecosystem == "python":
        for path in sorted(into.glob("libraries/*.dist-info/METADATA"))[:_MOST_LINKS]:
            head = path.read_text(encoding="utf-8", errors="replace").split("\n\n", 1)[0]
            said = dict[str, str]()
            for line in head.splitlines():
                key, _, value = line.partition(": ")
                if key == "Project-URL":
                    label, _, value = value.partition(",")
                    said.setdefault(label.strip(), value.strip())
                elif key in ("Name", "Home-page"):
                    said.setdefault(f"={key}", value.strip())
            name = re.sub(r"[-_.]+", "-", said.pop("=Name", "")).lower()
            found[name] = _best(said)
        return found
    for path in sorted(tree.folder.glob("node_modules/**/package.json"))[:_MOST_LINKS]:
        try:
            manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            source: Any = manifest.get("repository") or manifest.get("homepage") or ""
            found[str(manifest["name"])] = _address(source)
        except (OSError, ValueError, KeyError, AttributeError):
            continue
    return found


def _address(source: Any) -> str:
    """Of a repository, as npm's manifests write it."""
    written = source if isinstance(source, str) else str(source["url"])
    return written.removeprefix("git+").removesuffix(".git")[:_LONGEST]


def _best(said: dict[str, str]) -> str:
    changes = [value for label, value in said.items() if _CHANGES.search(label)]
    return next(iter([*changes, *said.values()]), "")[:_LONGEST]


def update(asked: dict[str, Any]) -> dict[str, Any]:
    """Have the lock file written anew, and keep all that comes of it."""
    out = Path(asked["out"])
    out.mkdir()
    tree = Tree(_lock(asked), asked["hosts"], _mirror())
    _static(tree)
    everything = _upgraded(tree, [])
    after = _upgraded(tree, asked["packages"]) if asked["packages"] else everything
    folders, links = [], dict[str, str]()
    if after != tree.before:
        folders = _fetched(tree, after, out)
        links = _links(tree, out)
        _pack(out, folders)
    _git("checkout", "--quiet", "HEAD", "--", ".")
    tree.lock.write_text(after, encoding="utf-8")
    patch = _git("diff", "--binary", "--full-index", "--no-renames", "HEAD", "--", str(tree.lock))
    for name, content in (("before", tree.before), ("after", after), ("all", everything)):
        (out / name).write_text(content, encoding="utf-8")
    (out / "patch").write_bytes(patch)
    executable = _git("ls-files", "--stage", "--", str(tree.lock)).startswith(b"100755")
    return {
        "lock": str(tree.lock), "ecosystem": tree.ecosystem, "executable": executable, "links": links,
    }  # fmt: skip


def _pack(out: Path, folders: list[str]) -> None:
    """One archive, sorted and without times, of what is there of these folders."""
    argv = ["tar", "--create", "--file", str(out / "libraries.tar"), "--sort=name", "--mtime=@0", "--owner=0"]
    argv += ["--group=0", "--numeric-owner"]
    for one in folders:
        above = out if one == "libraries" else Path("..")
        if (above / one).is_dir():
            argv += ["--directory", str(above.resolve()), one]
    if "--directory" in argv:
        subprocess.run(argv, check=True)


def _mirror() -> str:
    """The mirror's own address."""
    for name in ("UV_DEFAULT_INDEX", "npm_config_registry"):
        if url := os.environ.get(name):
            return "/".join(url.split("/")[:3])
    raise Refused("no registry is opened for this run")


def audit(asked: dict[str, Any]) -> dict[str, Any]:
    """What is known against the versions of the lock file, and of that of the commit; refused where nobody tells."""
    lock = Path(asked["lock"])
    for odd in {lock.parent / ".npmrc", Path(".npmrc")}:
        odd.unlink(missing_ok=True)
    after = _report(lock, asked["service"])
    _git("checkout", "--quiet", "HEAD", "--", str(lock))
    return {"before": _report(lock, asked["service"]), "after": after}


def _report(lock: Path, service: str) -> Any:
    if LOCKS[lock.name] == "python":
        argv = ("uv", "audit", "--frozen", *_QUIET, "--output-format", "json", "--service-url", service)
        said = _run(lock.parent, *argv, answers=(0, 1))
    else:
        argv = ("npm", "audit", "--json", "--package-lock-only", "--ignore-scripts")
        said = _run(lock.parent, *argv, answers=(0, 1), npm_config_registry=service, npm_config_audit="true")
    try:
        return json.loads(said.stdout)
    except ValueError as error:
        raise Refused(f"the audit told nothing that can be read: {said.stderr.strip()[-_TAIL:]}") from error


_DOES = {"update": update, "audit": audit}


def main() -> None:
    """Do what is asked, and answer."""
    asked = json.loads(sys.argv[1])
    try:
        said = _DOES[asked["do"]](asked)
    except Refused as refused:
        said = {"refused": str(refused)}
    except (OSError, ValueError, TypeError, AttributeError, subprocess.CalledProcessError) as error:
        said = {"refused": f"{type(error).__name__}: {error}"[:_TAIL]}
    sys.stdout.write(json.dumps(said) + "\n")


if __name__ == "__main__":
    main()
