"""Every way a sandbox, not the command in it, can fail, as one tree.

::

    SandboxError
    ├── SandboxUnavailable     the engine cannot be reached, or broke the run: a fresh run may succeed
    │   └── CapacityExhausted  no address, disk or container is left for now: try again later
    ├── ImageMissing           the engine does not hold the image: build the images
    ├── IsolationMissing       the engine cannot keep a promise: nothing may run on it
    └── SpecRefused            the run asks for what does not exist or cannot be: no retry helps

A command that fails, is killed, runs out of memory or of time is none of these: it is a `RunResult`. Nothing here
may be shown to anybody as the output of the command.
"""


class SandboxError(Exception):
    """The sandbox did not do its part."""


class SandboxUnavailable(SandboxError):
    """The container engine cannot be reached, or failed during the run."""


class CapacityExhausted(SandboxUnavailable):
    """The engine has no address, disk or room left for one more run."""


class ImageMissing(SandboxError):
    """The engine does not hold the image that the spec names."""


class IsolationMissing(SandboxError):
    """The self-test found a promise that this engine does not keep."""


class SpecRefused(SandboxError):
    """The spec names what is not there, or what cannot be done within its own limits."""
