"""What an embedded environment is made of, apart from what is slow to import: commands that read options stay quick."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from deploy.local.telemetry.servers import Programs
from sandbox.provisioning import EngineFound

_PASSED_ON: Final = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")


@dataclass(frozen=True)
class ProvidersWanted:
    """Which of Pulumi's providers programs may use, and what these are told: in a rehearsal, as its deployment says.

    Attributes:
        packages: By name.
        environment: For Pulumi and its providers, beside our own; nothing secret.
    """

    packages: tuple[str, ...] = ("banksman",)
    environment: Mapping[str, str] = field(default_factory=dict[str, str])


USUAL_PROVIDERS: Final = ProvidersWanted()


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What `banksman up` was asked for.

    Attributes:
        repositories: Local git repositories by the name they get behind the GitHub twin.
        policy: The policy file that the workers read.
        encrypt: Encrypt payloads, as outside development, and run the codec server.
        traces: Keep traces; off shows what telemetry costs.
        sandbox: Run the sandbox worker, with a container engine found or started.
        servers: Programs that keep metrics and logs; None leaves them out.
        copied: What was copied of real providers: then the twins are made of that, and of no example.
        models: The file of language models; without it, the twin of language models is asked.
        engine: A container engine that is there with all its images; None: it is found or started.
        providers: Of Pulumi, for stacks.
    """

    repositories: Mapping[str, Path]
    policy: Path
    encrypt: bool
    traces: bool
    sandbox: bool
    servers: Programs | None = None
    copied: Path | None = None
    models: Path | None = None
    engine: EngineFound | None = None
    providers: ProvidersWanted = USUAL_PROVIDERS


@dataclass(frozen=True, kw_only=True)
class StackOptions(Wanted):
    """What was asked for, and who asks.

    Attributes:
        environment: The caller's environment; only a few harmless variables of it are passed on.
        deployment: The worker deployment of the goals worker.
        build_id: Tells the version of the code as it is now; it is made current whenever the goals worker starts.
    """

    environment: Mapping[str, str]
    deployment: str
    build_id: Callable[[], str]

    @property
    def docker_host(self) -> str | None:
        """The container engine to use, where the caller chose one."""
        if self.engine is not None:
            return self.engine.host
        return self.environment.get("BANKSMAN_DOCKER_HOST") or None

    def passed_on(self) -> dict[str, str]:
        """What every child gets of the caller's environment."""
        return passed_on(self.environment)


def passed_on(environment: Mapping[str, str]) -> dict[str, str]:
    """The few harmless variables of an environment."""
    return {key: value for key, value in environment.items() if key in _PASSED_ON}
