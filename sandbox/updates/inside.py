"""What an update of dependencies does in its container: find one lock file, have its own tool write it, fetch, audit.

It is sent with each order, as one text with what it imports from beside it, and uses the standard library only. It runs
uv, npm or go, and none of them runs code of a package: uv takes wheels alone, npm leaves scripts out, and go builds
nothing here. While a tool works, addresses of registries in its files lead to the mirror, which is all that it reaches;
then they are put back. Its answer is one line of JSON; what is not done has the reason under `refused`.

    python3 -I -S -c THIS '{"do": "update", …}'
"""

# ruff: noqa: S603, TID251
# the tools are the image's own, by the PATH that the order sets; this file runs in the container

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any, cast

from sandbox.updates.modules import kept_modules, known_of, links_of, moved
from sandbox.updates.pins import as_project, compiled, installed
from sandbox.updates.tree import (
    PYTHON,
    QUIET,
    TAIL,
    UV,
    Refused,
    Tree,
    git,
    kind_of,
    lock_meant,
    mirror_address,
    run,
)

_MOST_LINKS = 500
_LONGEST = 300
_CHANGES = re.compile(r"change|release|history|news|what'?s new", re.IGNORECASE)
_LOCAL = re.compile(r'source = \{ (?:editable|directory|virtual) = "([^"]+)" \}')
_NPM = ("--ignore-scripts", "--no-audit", "--no-fund", "--no-progress", "--loglevel=error")


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
    tree.begin(tree.before, tree.sums_before)
    which = [part for one in packages for part in ("--upgrade-package", one)] or ["--upgrade"]
    if tree.ecosystem == "python":
        run(tree.folder, "uv", "lock", *UV, *which, UV_DEFAULT_INDEX=tree.index)
    elif tree.ecosystem == "pip":
        return compiled(tree, which)
    elif tree.ecosystem == "go":
        return moved(tree, packages)
    else:
        run(tree.folder, "npm", "update", "--package-lock-only", *_NPM, "--", *packages)
    return tree.now()


def _most(tree: Tree, made: tuple[str, str]) -> tuple[str, str]:
    """Both files where all that can move does. Where one module wants a newer Go, the others still can be had."""
    try:
        return _upgraded(tree, []), tree.sums_now
    except Refused:
        if tree.ecosystem != "go":
            raise
        return made


def _fetched(tree: Tree, text: str, into: Path) -> list[str]:
    """What tests need of the tree as it is, fetched and unpacked: the folders below the workspace that have it."""
    if tree.ecosystem == "npm":
        run(tree.folder, "npm", "ci", *_NPM)
        return [str(Path("tree") / tree.folder / "node_modules")]
    if tree.ecosystem == "go":
        return kept_modules(tree, into)
    if tree.ecosystem == "pip":
        return installed(tree, text, into)
    wanted = into / "requirements.txt"
    run(
        tree.folder, "uv", "export", "--quiet", "--frozen", "--no-emit-workspace", "--all-extras", "--no-header",
        "--format", "requirements-txt", "--output-file", str(wanted), "--python", PYTHON, "--no-python-downloads",
    )  # fmt: skip
    target = into / "libraries"
    target.mkdir()
    run(
        tree.folder, "uv", "pip", "install", *UV, "--no-deps", "--require-hashes", "--target", str(target),
        "--requirement", str(wanted),
    )  # fmt: skip
    return ["libraries"]


def _links(tree: Tree, into: Path) -> dict[str, str]:
    """Where packages say that their changes are told, or where they are made. Strangers' words."""
    found: dict[str, str] = {}
    if tree.ecosystem == "go":
        return links_of(tree, into)
    if tree.ecosystem != "npm":
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
    out = Path(asked["out"]).resolve()
    out.mkdir()
    tree = Tree(lock_meant(asked), asked["hosts"], mirror_address())
    _static(tree)
    after, sums = _upgraded(tree, asked["packages"]), tree.sums_now
    everything, every_sums = _most(tree, (after, sums)) if asked["packages"] else (after, sums)
    folders, links = [], dict[str, str]()
    if after != tree.before:
        tree.begin(after, sums)
        folders = _fetched(tree, after, out)
        links = _links(tree, out)
        _pack(out, folders)
    git("checkout", "--quiet", "HEAD", "--", ".")
    tree.lock.write_text(after, encoding="utf-8")
    kept = {"before": tree.before, "after": after, "all": everything}
    if tree.sums is not None:
        tree.sums.write_text(sums, encoding="utf-8")
        kept |= {"sums-before": tree.sums_before, "sums-after": sums, "sums-all": every_sums}
    written = [str(one) for one in (tree.lock, tree.sums) if one is not None]
    patch = git("diff", "--binary", "--full-index", "--no-renames", "HEAD", "--", *written)
    for name, content in kept.items():
        (out / name).write_text(content, encoding="utf-8")
    (out / "patch").write_bytes(patch)
    executable = git("ls-files", "--stage", "--", str(tree.lock)).startswith(b"100755")
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


def audit(asked: dict[str, Any]) -> dict[str, Any]:
    """What is known against the versions of the lock file, and of that of the commit; refused where nobody tells."""
    lock = Path(asked["lock"])
    for odd in {lock.parent / ".npmrc", Path(".npmrc")}:
        odd.unlink(missing_ok=True)
    after = _report(lock, asked["service"])
    git("checkout", "--quiet", "HEAD", "--", ".")
    return {"before": _report(lock, asked["service"]), "after": after}


def _report(lock: Path, service: str) -> Any:
    if (kind := kind_of(str(lock))) == "go":
        return known_of(lock, service)
    if kind != "npm":
        argv = ("uv", "audit", "--frozen", *QUIET, "--output-format", "json", "--service-url", service)
        said = run(lock.parent if kind == "python" else as_project(lock), *argv, answers=(0, 1))
    else:
        argv = ("npm", "audit", "--json", "--package-lock-only", "--ignore-scripts")
        said = run(lock.parent, *argv, answers=(0, 1), npm_config_registry=service, npm_config_audit="true")
    try:
        return json.loads(said.stdout)
    except ValueError as error:
        raise Refused(f"the audit told nothing that can be read: {said.stderr.strip()[-TAIL:]}") from error


_DOES = {"update": update, "audit": audit}


def main() -> None:
    """Do what is asked, and answer."""
    asked = json.loads(sys.argv[1])
    try:
        said = _DOES[asked["do"]](asked)
    except Refused as refused:
        said = {"refused": str(refused)}
    except (OSError, ValueError, TypeError, AttributeError, LookupError, subprocess.CalledProcessError) as error:
        said = {"refused": f"{type(error).__name__}: {error}"[:TAIL]}
    sys.stdout.write(json.dumps(said) + "\n")


if __name__ == "__main__":
    main()
