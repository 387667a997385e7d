"""Pins as pip reads them, made of an `.in` file: written anew, installed for tests, and told to an audit.

It is sent with each order, as a part of one text, and uses the standard library only.
"""

from __future__ import annotations

import re
import shlex
from itertools import takewhile
from pathlib import Path

from sandbox.updates.tree import UV, Refused, Tree, listed, run, source_of

_PIN = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[A-Za-z0-9._,-]+\])?==([A-Za-z0-9.!+_-]+)(?=\s|;|$)")
_WITH_VALUE = {
    "-o", "--output-file", "-p", "--python", "--python-version", "--annotation-style", "--resolver", "--cache-dir",
    "-P", "--upgrade-package",
}  # fmt: skip
_WITHOUT_VALUE = {
    "-U", "--upgrade", "-q", "--quiet", "-v", "--verbose", "--universal", "--generate-hashes", "--annotate",
    "--no-annotate", "--strip-extras", "--no-strip-extras", "--allow-unsafe", "--no-emit-index-url", "--no-build",
    "--no-emit-trusted-host", "--no-header", "--header",
}  # fmt: skip
_PROJECT = "of-the-audit-alone"


def compiled(tree: Tree, which: list[str]) -> str:
    """Pins, in the form that they had before: what is not written in them is not asked for."""
    text = tree.before
    head = "".join(takewhile(lambda line: line.startswith("#"), text.splitlines(keepends=True)))
    pins = pins_of(text)
    argv = ["--no-header", "--quiet", *_asked_by(head, tree.manifest)]
    argv += ["--generate-hashes"] if "--hash=" in text else []
    argv += ["--universal"] if any(";" in pin for _, _, pin in pins) else []
    argv += ["--no-strip-extras"] if any("[" in pin.partition(";")[0] for _, _, pin in pins) else []
    argv += ["--no-annotate"] if "# via" not in text[len(head) :] else []
    argv += ["--annotation-style", "line"] if re.search(r"^[^#\s].*# via", text, re.MULTILINE) else []
    # Where it is made from is told in it: a path from the root, or the file's name.
    at = Path() if re.search(rf"-r {re.escape(str(tree.manifest))}\b", text) else tree.folder
    files = [str(one.relative_to(at)) for one in (tree.lock, tree.manifest)]
    run(at, "uv", "pip", "compile", *UV, *argv, *which, "--output-file", files[0], "--", files[1])
    made = head + tree.now()
    _only_pins(made, tree.lock)
    return made


def _asked_by(head: str, manifest: Path) -> list[str]:
    """What of the command that its head tells has to be said again.

    Raises:
        Refused: It asks for what is not known here.
    """
    version = re.search(r"pip-compile with [Pp]ython (3\.\d+)\b", head)
    said = re.search(r"^#\s+((?:uv pip compile|pip-compile)\b.*)$", head, re.MULTILINE)
    words = iter(shlex.split(said[1])[1:] if said else [])
    found = ["--python-version", version[1]] if version else list[str]()
    for word in words:
        name, _, value = word.partition("=")
        if name in _WITH_VALUE:
            value = value or next(words, "")
            found += ["--python-version", value] if name in ("--python-version", "-p", "--python") else []
        elif name.startswith("-"):
            if name not in _WITHOUT_VALUE:
                raise Refused(f"it was made with {name!r}, which is not known here: make it of one file, without that")
            found += [name] if name == "--universal" else []
        elif word not in ("pip", "compile") and Path(word).name != manifest.name:
            raise Refused(f"it was made of {word!r}, and not of {manifest.name!r} alone")
    return found


def pins_of(text: str) -> list[tuple[str, str, str]]:
    """Names, versions and the pins themselves, without digests; what is none is left out."""
    lines = (re.sub(r"(^|\s)#.*$", "", one).strip() for one in text.replace("\\\n", " ").splitlines())
    found = ((_PIN.match(one), one.partition("--hash=")[0].strip()) for one in lines)
    return [(re.sub(r"[-_.]+", "-", pin[1]).lower(), pin[2], line) for pin, line in found if pin]


def _only_pins(text: str, lock: Path) -> list[tuple[str, str, str]]:
    pins, lines = pins_of(text), re.findall(r"^(?!\s*(?:#|$)).+$", text.replace("\\\n", " "), re.MULTILINE)
    if len(pins) != len(lines):
        raise Refused(f"{str(lock)!r} has lines that are no pins of one version")
    return pins


def installed(tree: Tree, text: str, into: Path) -> list[str]:
    """What the pins name, and what the pins beside them name more, as for tests."""
    (into / "libraries").mkdir()
    known = {name for name, _, _ in pins_of(text)}
    more = dict[str, str]()
    for one in listed(str(tree.folder / "*.txt")):
        if one != str(tree.lock) and not Path(one).is_symlink() and listed(source_of(one)):
            for line in Path(one).read_text(encoding="utf-8").replace("\\\n", " ").splitlines():
                if (pin := pins_of(line)) and pin[0][0] not in known:
                    more.setdefault(pin[0][2], line)
    parts = [text, *("\n".join(one for one in more.values() if ("--hash=" in one) is has) for has in (True, False))]
    for number, wanted in enumerate(one for one in parts if one):
        file = into / f"requirements-{number}.txt"
        file.write_text(wanted, encoding="utf-8")
        hashed = ["--require-hashes"] if "--hash=" in wanted else []
        run(
            tree.folder, "uv", "pip", "install", *UV, "--no-deps", *hashed, "--target", str(into / "libraries"),
            "--requirement", str(file),
        )  # fmt: skip
    return ["libraries"]


def as_project(lock: Path) -> Path:
    """The folder of a project that needs exactly what the pins name: such a one can be audited.

    Raises:
        Refused: A line is no pin, so that nobody would ask about it.
    """
    pins = _only_pins(lock.read_text(encoding="utf-8"), lock)
    source = 'source = { registry = "." }'  # advisories are kept by name and version, wherever they come from
    known = dict.fromkeys((name, version) for name, version, _ in pins)
    packages = [f'[[package]]\nname = "{name}"\nversion = "{version}"\n{source}\n' for name, version in known]
    needs = "\n".join(f'    {{ name = "{name}", version = "{version}", {source} }},' for name, version in known)
    own = (
        f'[[package]]\nname = "{_PROJECT}"\nversion = "0"\nsource = {{ virtual = "." }}\ndependencies = [\n{needs}\n]\n'
    )
    folder = Path("..") / "audited"
    folder.mkdir(exist_ok=True)
    head = 'version = 1\nrequires-python = ">=3.0"\n'
    (folder / "uv.lock").write_text("\n".join([head, *packages, own]), encoding="utf-8")
    project = f'[project]\nname = "{_PROJECT}"\nversion = "0"\nrequires-python = ">=3.0"\n'
    (folder / "pyproject.toml").write_text(project, encoding="utf-8")
    return folder
