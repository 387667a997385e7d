"""Which of the engine's runtimes runs a container: one with a kernel of its own where it is offered."""

from collections.abc import Mapping
from typing import Final, Literal, cast

from sandbox.errors import IsolationMissing

RuntimePolicy = Literal["required", "preferred", "never"]
_STRONGER: Final = ("runsc", "kata", "kata-runtime", "io.containerd.runsc.v1", "io.containerd.kata.v2")


def choose_runtime(policy: RuntimePolicy, info: Mapping[str, object]) -> str | None:
    """The runtime's name for the engine; None is the engine's own default.

    Args:
        policy: Whether gVisor or Kata must be there, is taken when it is there, or is not used.
        info: The engine's answer to `GET /info`.

    Raises:
        IsolationMissing: It is required, and the engine has none.
    """
    if policy == "never":
        return None
    offered = cast("Mapping[str, object]", info.get("Runtimes") or {})
    for name in _STRONGER:
        if name in offered:
            return name
    if policy == "required":
        raise IsolationMissing(
            f"a runtime with its own kernel is required, and the engine offers {sorted(offered)}: install gVisor "
            "(runsc) or Kata, or set the runtime to 'preferred'"
        )
    return None


def has_user_namespace(info: Mapping[str, object]) -> bool:
    """Whether root in a container is nobody on the host."""
    options = cast("list[str]", info.get("SecurityOptions") or [])
    return any(option.startswith(("name=userns", "name=rootless")) for option in options)
