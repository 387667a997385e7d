"""Reads a manifest: text in, a valid `Manifest` out, or every mistake at once, each with its place and what was meant.

Pure: a step reads the file, a goal or a command this. What is read is a proposal by whoever can push to a repository;
it names commands that run in the sandbox and makes the deployment's policy stricter, and can do nothing else.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from pydantic import ValidationError

from hitl.approval.stricter import Stricter
from hitl.policy.loosening import find_loosening, unknown
from hitl.policy.rules import Policy
from hitl.policy.tighten import tighten
from hitl.policy.yaml import Location
from workflows.manifest.checks import find_mistakes
from workflows.manifest.manifest import FILE_NAME, Manifest
from workflows.manifest.mistakes import from_validation
from workflows.manifest.text import MOST_MISTAKES, Mistake, Text, TextError, find_odd_values, read_text

_NAMED: Final = {("pulumi", "stacks"), ("verify", "addresses")}
"""Mappings whose keys are names that the author gives."""


_DEEPEST: Final = len(("policy", "approvals", 0))
"""So deep lie the places that ask something of the policy; messages name nothing below."""


class ManifestError(Exception):
    """A manifest cannot be used. The message lists every mistake, one a line, as `file:line:column: key: what`."""

    def __init__(self, name: str, mistakes: Sequence[Mistake]) -> None:
        self.name = name
        self.mistakes = list(mistakes)
        super().__init__(
            "\n".join(f"{name}:{line}:{column}: {where}: {text}" for line, column, where, text in self.mistakes)
        )


@dataclass(frozen=True, kw_only=True)
class ReadManifest:
    """A valid manifest, and the text that it was read from."""

    manifest: Manifest
    text: Text
    name: str

    def tightening(self) -> Stricter | None:
        """What a plan for this service carries, so that it is held to it; None where the manifest asks nothing."""
        asked = self.manifest.policy.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
        if not asked:
            return None
        places = [at[1:] for at in self.text.document.lines if at[:1] == ("policy",) and 1 < len(at) <= _DEEPEST]
        lines = {".".join(map(str, at)): self.text.document.line(("policy", *at)) for at in places}
        return Stricter(source=self.name, asked=asked, lines=lines)

    def tightened(self, policy: Policy) -> Policy:
        """The deployment's policy as it is for this service: never looser than before."""
        return tighten(
            policy,
            self.manifest.policy,
            source=self.name,
            line=lambda at: self.text.document.line(("policy", *at)),
        )


def read_manifest(data: bytes, *, name: str = FILE_NAME) -> ReadManifest:
    """Read a manifest.

    Args:
        data: The file's content.
        name: What messages call it.

    Raises:
        ManifestError: With every mistake, in the order of the file.
    """
    try:
        text = read_text(data)
    except TextError as error:
        raise ManifestError(name, error.mistakes) from error
    mistakes = [
        Mistake(one.line, one.column, text.mistake(one.location, "").where, one.message)
        for one in text.document.problems
    ]
    mistakes += find_odd_values(text)
    if mistakes:
        raise _error(name, mistakes)
    if not isinstance(text.document.value, dict):
        raise ManifestError(name, [_no_mapping(text)])
    try:
        # As JSON, where lists and words have one form and nothing is converted in silence.
        manifest = Manifest.model_validate_json(json.dumps(text.document.value), strict=True)
    except ValidationError as error:
        raise _error(name, from_validation(error, text)) from error
    if found := list(find_mistakes(manifest)):
        raise _error(name, _placed(found, text))
    return ReadManifest(manifest=manifest, text=text, name=name)


def against(
    read: ReadManifest, policy: Policy | None, *, purposes: Iterable[str] | None = None
) -> ManifestError | None:
    """What a deployment makes of a valid manifest: names that it does not have, and what would loosen its policy.

    Args:
        read: The manifest.
        policy: The deployment's; None where nobody has it at hand.
        purposes: Those that it has for commands; None where nobody knows.
    """
    found: list[tuple[Location, str]] = []
    if policy is not None:
        found += [(("policy", *at), text) for at, text in find_loosening(policy, read.manifest.policy)]
        for name in read.manifest.pulumi.stacks if read.manifest.pulumi else ():
            problems = unknown([name], policy.environments, (), what="environment")
            found += [(("pulumi", "stacks", name), text) for _, text in problems]
    if purposes is not None:
        known = tuple(purposes)
        for at, purpose in _purposes(read.manifest):
            found += [(at, text) for _, text in unknown([purpose], known, (), what="purpose")]
    return _error(read.name, _placed(found, read.text)) if found else None


def _purposes(manifest: Manifest) -> list[tuple[Location, str]]:
    commands = {
        ("test",): manifest.test,
        ("build",): manifest.build,
        ("migrate",): manifest.migrate,
        ("rollback", "down"): manifest.rollback.down,
    }
    return [((*at, "purpose"), one.purpose) for at, one in commands.items() if one is not None and one.purpose]


def _placed(found: Iterable[tuple[Location, str]], text: Text) -> list[Mistake]:
    return [text.mistake(at, message, key=at[:2] in _NAMED) for at, message in found]


def _no_mapping(text: Text) -> Mistake:
    if text.document.value is None:
        return Mistake(1, 1, "file", "is empty; `banksman manifest init` proposes what to write")
    return Mistake(1, 1, "file", f"`{text.written_at(())}` is not a mapping; begin with `version: 1`")


def _error(name: str, mistakes: Iterable[Mistake]) -> ManifestError:
    return ManifestError(name, sorted(set(mistakes))[:MOST_MISTAKES])
