"""Go's modules: moved by the go command, kept for tests as a proxy's files, and asked about at OSV.

It is sent with each order, as a part of one text, and uses the standard library only. The go command compiles nothing
here, and runs nothing of a module: modules come from the one proxy, none from a version control system, and what comes
is what the checksum database has signed, whose key is the go command's own or the deployment's.
"""

# ruff: noqa: S310, TID251
# the service's address is the deployment's; this file runs in the container

from __future__ import annotations

import json
import os
import re
import shutil
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

from sandbox.updates.tree import Refused, Tree, listed, run

_GO = {
    "GOENV": "off", "GOWORK": "off", "GOTOOLCHAIN": "local", "GOVCS": "*:off", "CGO_ENABLED": "0",
    "GOFLAGS": "-mod=mod -modcacherw", "GOPRIVATE": "", "GONOPROXY": "", "GONOSUMDB": "", "GOINSECURE": "",
}  # fmt: skip
_PLAIN = re.compile(r"https://(?:github|gitlab|bitbucket)\.(?:com|org)/[\w.-]+/[\w.-]+")
_BATCH = 500
_LEAST = (1, 17)


def moved(tree: Tree, packages: list[str]) -> str:
    """`go.mod` after the go command has moved these modules, or all; `go.sum` lies beside it."""
    said = module_of(tree)
    if odd := [one for one in packages if one not in said["needs"]]:
        raise Refused(f"{str(tree.lock)!r} does not ask for {odd[0]!r}")
    if tuple(int(one) for one in str(said["go"]).split(".")[:2]) < _LEAST:
        raise Refused(f"{str(tree.lock)!r} is for a Go before 1.17, and does not name all that is used: raise it first")
    if listed(str(tree.folder / "vendor" / "modules.txt")):
        raise Refused("its modules lie in 'vendor', which is not written anew here")
    if not os.environ.get("GOPROXY"):
        raise Refused(
            "the deployment mirrors no proxy of Go's modules: 'go_proxy' in BANKSMAN_SANDBOX_MIRRORS names it"
        )
    what = [f"{one}@upgrade" for one in packages] or ["-u", "-t", "./..."]
    _go(tree, "get", *what)
    _go(tree, "mod", "tidy")
    return tree.now()


def _go(tree: Tree, *words: str, modules: str | None = None) -> str:
    """What the go command says; modules are kept in that folder, or where the others are."""
    more = {**_GO, "GOMODCACHE": modules} if modules is not None else _GO
    return run(tree.folder, "go", *words, answers=(0,), **more).stdout


def module_of(tree: Tree) -> dict[str, Any]:
    """What `go.mod` says: the version of Go, and what is needed in which version, replaced where it is."""
    said: dict[str, Any] = json.loads(_go(tree, "mod", "edit", "-json"))
    replaces: list[dict[str, dict[str, str]]] = said.get("Replace") or []
    replaced = {(one["Old"]["Path"], one["Old"].get("Version", "")): one["New"] for one in replaces}
    needs = dict[str, tuple[str, str]]()
    requires: list[dict[str, str]] = said.get("Require") or []
    for one in requires:
        path, version = one["Path"], one["Version"]
        new = replaced.get((path, version)) or replaced.get((path, ""))
        needs[path] = (new["Path"], new.get("Version", "")) if new else (path, version)
    return {"go": said.get("Go", "1.16"), "needs": needs}


def kept_modules(tree: Tree, into: Path) -> list[str]:
    """What tests need, as the files of a proxy: go takes it from there, and looks at each digest once more."""
    own = into / "modules"
    _go(tree, "mod", "download", modules=str(own))
    kept = own / "cache" / "download"
    if kept.is_dir():
        shutil.rmtree(kept / "sumdb", ignore_errors=True)
        (into / "libraries").mkdir()
        kept.rename(into / "libraries" / "go")
    shutil.rmtree(own, ignore_errors=True)
    return ["libraries"]


def links_of(tree: Tree, into: Path) -> dict[str, str]:
    """Where modules are made, as the proxy says. Strangers' words."""
    found = dict[str, str]()
    for path, (real, version) in module_of(tree)["needs"].items():
        written = into / "libraries" / "go" / _escaped(real) / "@v" / f"{_escaped(version)}.info"
        try:
            where = str(json.loads(written.read_text(encoding="utf-8"))["Origin"]["URL"])
        except (OSError, ValueError, KeyError, TypeError):
            plain = _PLAIN.match(f"https://{real}")
            where = plain[0] if plain else f"https://pkg.go.dev/{real}?tab=versions"
        found[path] = where
    return found


def _escaped(text: str) -> str:
    """As the files of a proxy are named."""
    return re.sub(r"[A-Z]", lambda one: f"!{one[0].lower()}", text)


def known_of(lock: Path, service: str) -> dict[str, Any]:
    """What OSV knows of the modules that are needed, in the form of `uv audit`.

    Raises:
        Refused: It was not asked about all of them, or has not answered.
    """
    needs = module_of(Tree(str(lock), [], ""))["needs"]
    asked = sorted({(path, version) for path, version in needs.values() if version})
    found = list[dict[str, Any]]()
    for at in range(0, len(asked), _BATCH):
        part = asked[at : at + _BATCH]
        found += [{"name": path, "ids": ids} for (path, _), ids in zip(part, _batch(part, service), strict=True)]
    told = [
        {"dependency": {"name": one["name"]}, "id": known["id"], "summary": known.get("summary")}
        for one in found
        for known in (_asked(f"{service}v1/vulns/{urllib.parse.quote(name, safe='')}") for name in one["ids"])
        if "withdrawn" not in known
    ]
    return {"summary": {"audited_packages": len(asked)}, "vulnerabilities": told, "adverse_statuses": []}


def _batch(part: list[tuple[str, str]], service: str) -> list[list[str]]:
    """The ids of what is known, for each."""
    queries = [
        {"package": {"name": path, "ecosystem": "Go"}, "version": version.removeprefix("v")} for path, version in part
    ]
    results: list[dict[str, Any]] = _asked(f"{service}v1/querybatch", {"queries": queries})["results"]
    if len(results) != len(part) or any("next_page_token" in one for one in results):
        raise Refused(f"{service} has not told all that it knows")
    known: list[list[dict[str, Any]]] = [one.get("vulns") or [] for one in results]
    return [[str(one["id"]) for one in those] for those in known]


def _asked(url: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    content = json.dumps(body).encode() if body is not None else None
    request = urllib.request.Request(url, content, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)
    except (urllib.error.URLError, TimeoutError) as error:
        raise Refused(f"{url} has not answered: {error}") from error
