"""The policy file in force, read again when it changes, so that tightening a rule needs no restart."""

import os
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from hitl.policy.file import PolicyError, Problem, load_policy
from hitl.policy.rules import Environment, Policy

_SETTLED_NS: Final = 100_000_000
"""A file younger than this when it was read may change again without a new time stamp; it is read once more."""

_Stamp = tuple[int, int, int, int]


class PolicySource:
    """The policy of one environment of this deployment.

    A file that is invalid at the start is refused. One that becomes invalid later is not a denial but a fault: steps
    end as `Unavailable` and are tried again, and nothing runs under a policy that is no longer the written one.
    Called from one thread at a time.

    Raises:
        PolicyError: From the constructor, when the file is missing, invalid, or does not name the environment.
    """

    def __init__(self, path: Path, *, environment: str) -> None:
        self.environment = environment
        self.since = datetime.now(UTC)
        """When this process first saw the file as it is now."""
        self._path = path
        self._stamp: _Stamp | None = None
        self._state: Policy | PolicyError = self._read()
        if isinstance(self._state, PolicyError):
            raise self._state

    def current(self) -> Policy:
        """The policy as the file has it now; costs one `stat` while it is unchanged.

        Raises:
            PolicyError: When the file is missing or invalid now.
        """
        if self._stamp is None or self._stamp != self._look():
            before, self._state = self._state, self._read()
            if _digest(before) != _digest(self._state):
                self.since = datetime.now(UTC)
        if isinstance(self._state, PolicyError):
            raise self._state
        return self._state

    def settings(self) -> Environment:
        """The settings of this environment now.

        Raises:
            PolicyError: As `current`.
        """
        return self.current().environments[self.environment]

    def _look(self) -> _Stamp | None:
        try:
            found = os.stat(self._path)  # noqa: PTH116 - every step pays for it, and Path.stat costs twice as much
        except OSError:
            return None
        return found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino

    def _read(self) -> Policy | PolicyError:
        stamp = self._look()
        settled = stamp is not None and time.time_ns() - max(stamp[0], stamp[1]) > _SETTLED_NS
        self._stamp = stamp if settled else None
        try:
            policy = load_policy(self._path)
        except PolicyError as error:
            return error
        if self.environment not in policy.environments:
            known = ", ".join(map(repr, policy.environments)) or "none"
            text = f"the environment {self.environment!r} is not in it; add it, or run as one of {known}"
            return PolicyError(self._path, [Problem(line=1, where="environments", message=text)])
        return policy


def _digest(state: Policy | PolicyError) -> str | None:
    return state.digest if isinstance(state, Policy) else None
