"""Puts the image's providers where Pulumi looks, and only those whose bytes are what the image's list says."""

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final, cast

_HELD: Final = Path("/usr/lib/banksman/plugins")
_PLAYED: Final = """#!/bin/sh
exec env PYTHONPATH=/workspace/lib python3 -s -m sandbox.pulumi.inside.played {provider} "$@"
"""
_NAME: Final = re.compile(r"resource-([a-z][a-z0-9-]*)-v\d+\.\d+\.\d+[^/]*/pulumi-resource-\1")


class PluginBroken(Exception):
    """A provider of the image is not what its list says."""


def place_plugins(home: Path, *, played: bool = False) -> Mapping[str, str]:
    """Link them below Pulumi's home; their digests by folder and name, as in the list.

    Args:
        home: Pulumi's.
        played: Put in the place of each what asks it and does nothing: see `played.py`.

    Raises:
        PluginBroken: One differs.
    """
    listed = cast("Mapping[str, str]", json.loads((_HELD / "plugins.json").read_bytes()))
    for path, digest in listed.items():
        with (_HELD / path).open("rb") as program:  # some are larger than the container's memory
            found = hashlib.file_digest(program, "sha256").hexdigest()
        if found != digest or not _NAME.fullmatch(path):
            raise PluginBroken(f"the provider {path!r} of the image is not what its list says: build the image again")
        linked = home / "plugins" / path
        linked.parent.mkdir(parents=True)
        if played:
            linked.write_text(_PLAYED.format(provider=_HELD / path), encoding="utf-8")
            linked.chmod(0o700)
        else:
            linked.symlink_to(_HELD / path)
    return listed


def packages_of(listed: Mapping[str, str]) -> list[str]:
    """The names that programs know them by."""
    return sorted({match.group(1) for path in listed if (match := _NAME.fullmatch(path))})
