"""The one place that says how a container is shut; everything else passes through here.

`container_config` has no parameter that opens anything. `refuse_weak` reads a finished configuration again, right
before it is sent, and knows only what is allowed: a later edit that weakens one fails there, and in the tests.
"""

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final, cast

from pydantic import BaseModel, ConfigDict

from sandbox.docker.seccomp import SECURITY_OPTION
from sandbox.errors import IsolationMissing
from sandbox.spec import HOST_PATTERN, SECRETS_BYTES, Limits

LABEL_DEPLOYMENT: Final = "banksman.deployment"
LABEL_OWNER: Final = "banksman.owner"
LABEL_RUN: Final = "banksman.run"
LABEL_UNTIL: Final = "banksman.until"
LABEL_KIND: Final = "banksman.kind"
LABEL_IMAGE: Final = "banksman.image"
LABEL_FIRST_PROCESS: Final = "banksman.first-process"

USER: Final = "10001:10001"
JOINT: Final = "/run/relay"
"""Where two containers of one run see the same volume."""
FIRST_PROCESS: Final = ("/usr/bin/python3", "-I", "-S", "/usr/lib/banksman/first_process.pyc")
UNROUTABLE_RESOLVER: Final = "192.0.2.53"  # TEST-NET-1, RFC 5737: nobody answers there
CPU_PERIOD: Final = 100_000
_SECURITY: Final = ("no-new-privileges:true", SECURITY_OPTION)
_ADDRESS: Final = re.compile(r"[0-9]{1,3}(\.[0-9]{1,3}){3}")
_OWNED: Final = "uid=10001,gid=10001,mode=0700"
_ALLOWED_HOST_CONFIG: Final = frozenset(
    {
        "NetworkMode", "ReadonlyRootfs", "CapDrop", "SecurityOpt", "Memory", "MemorySwap", "CpuPeriod", "CpuQuota",
        "PidsLimit", "Tmpfs", "ShmSize", "IpcMode", "LogConfig", "Ulimits", "Init", "Runtime", "Dns", "DnsOptions",
        "RestartPolicy", "OomScoreAdj", "Mounts", "ExtraHosts",
    }
)  # fmt: skip
_ALLOWED_TOP: Final = frozenset(
    {
        "Image", "Entrypoint", "Cmd", "User", "WorkingDir", "Env", "Labels", "Hostname", "Tty", "OpenStdin",
        "StdinOnce", "AttachStdin", "AttachStdout", "AttachStderr", "NetworkDisabled", "HostConfig",
        "NetworkingConfig", "StopSignal", "Healthcheck",
    }
)  # fmt: skip


class Place(BaseModel):
    """What of a container cannot be changed once it exists: the key of a waiting one.

    Attributes:
        image: By digest.
        tmpfs: Size and inodes of the workspace and of `/tmp`.
        shm_bytes: Size of `/dev/shm`.
        network: `none`, or the name of the run's own network.
        runtime: The engine's name of the runtime, or None for its default.
        volume: The run's own volume, at `JOINT`; None: none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    image: str
    tmpfs: tuple[int, int, int, int]
    shm_bytes: int
    network: str = "none"
    runtime: str | None = None
    volume: str | None = None

    @classmethod
    def of(cls, image: str, limits: Limits, *, network: str = "none", runtime: str | None = None) -> "Place":
        """The place that a run with these limits needs."""
        tmpfs = (limits.workspace_bytes, limits.workspace_inodes, limits.tmp_bytes, limits.tmp_inodes)
        return cls(image=image, tmpfs=tmpfs, shm_bytes=limits.shm_bytes, network=network, runtime=runtime)


def container_config(  # noqa: PLR0913 - each is one decision about one container
    place: Place,
    limits: Limits,
    labels: Mapping[str, str],
    *,
    resolvers: Sequence[str] = (UNROUTABLE_RESOLVER,),
    address: str | None = None,
    hostname: str = "sandbox",
    hosts: Mapping[str, str] = MappingProxyType({}),
) -> Mapping[str, object]:
    """What the engine is asked for; checked.

    Args:
        place: Image, folders, network and runtime.
        limits: Memory, processor and processes.
        labels: By which the reaper knows it.
        resolvers: Whom the container asks for names; a run asks nobody, only a proxy is given others.
        address: On its own network; needed where two containers share one.
        hostname: What it calls itself.
        hosts: Names that it finds on its own network, and their addresses there.

    Raises:
        IsolationMissing: The configuration is weaker than it may be; a mistake in this file.
    """
    config: dict[str, object] = {
        "Image": place.image,
        "Entrypoint": list(FIRST_PROCESS),
        "Cmd": [],
        "User": USER,
        "WorkingDir": "/workspace",
        "Labels": dict(labels),
        "Hostname": hostname,
        "Tty": False,
        "OpenStdin": True,
        "StdinOnce": True,
        "AttachStdin": True,
        "AttachStdout": True,
        "AttachStderr": True,
        "Healthcheck": {"Test": ["NONE"]},
        "HostConfig": {
            **_host_config(place, limits, resolvers),
            **({"ExtraHosts": [f"{name}:{there}" for name, there in hosts.items()]} if hosts else {}),
        },
    }
    if address is not None:
        endpoint = {"IPAMConfig": {"IPv4Address": address}}
        config["NetworkingConfig"] = {"EndpointsConfig": {place.network: endpoint}}
    refuse_weak(config)
    return config


def _host_config(place: Place, limits: Limits, resolvers: Sequence[str]) -> Mapping[str, object]:
    config: dict[str, object] = {
        "NetworkMode": place.network,
        "ReadonlyRootfs": True,
        "CapDrop": ["ALL"],
        "SecurityOpt": list(_SECURITY),
        **resources(limits),
        "Tmpfs": _tmpfs(place),
        "ShmSize": place.shm_bytes,
        "IpcMode": "private",
        "LogConfig": {"Type": "none"},
        "Ulimits": [
            {"Name": "core", "Soft": 0, "Hard": 0},
            {"Name": "nofile", "Soft": 4096, "Hard": 4096},
            {"Name": "memlock", "Soft": 65536, "Hard": 65536},
            {"Name": "msgqueue", "Soft": 65536, "Hard": 65536},
        ],
        "Init": False,
        "RestartPolicy": {"Name": "no"},
        "OomScoreAdj": 500,
    }
    if place.volume is not None:
        config["Mounts"] = [_mount(place.volume)]
    if place.runtime is not None:
        config["Runtime"] = place.runtime
    if place.network != "none" and resolvers:
        config |= {"Dns": list(resolvers), "DnsOptions": ["timeout:1", "attempts:1"]}
    return config


def resources(limits: Limits) -> Mapping[str, object]:
    """The limits that can be changed on a container that waits."""
    return {
        "Memory": limits.memory_bytes,
        "MemorySwap": limits.memory_bytes,  # equal: no swap
        "CpuPeriod": CPU_PERIOD,
        "CpuQuota": int(limits.cpus * CPU_PERIOD),
        "PidsLimit": limits.pids,
    }


def _tmpfs(place: Place) -> Mapping[str, str]:
    workspace, workspace_inodes, tmp, tmp_inodes = place.tmpfs
    plain = f"rw,nosuid,nodev,{_OWNED}"
    return {
        "/workspace": f"{plain},exec,size={workspace},nr_inodes={workspace_inodes}",
        "/tmp": f"{plain},exec,size={tmp},nr_inodes={tmp_inodes}",  # noqa: S108 - a tmpfs of the container's own
        "/run/secrets": f"{plain},noexec,size={SECRETS_BYTES},nr_inodes=128",
        "/run/banksman": f"{plain},noexec,size=65536,nr_inodes=16",
    }


def refuse_weak(config: Mapping[str, object]) -> None:
    """Read a configuration as an attacker would wish it were.

    Raises:
        IsolationMissing: It holds something unknown, or lacks something needed.
    """
    host = cast("Mapping[str, object]", config.get("HostConfig", {}))
    unknown = (set(config) - _ALLOWED_TOP) | (set(host) - _ALLOWED_HOST_CONFIG)
    if unknown:
        raise IsolationMissing(f"a container may not have {', '.join(sorted(unknown))}: remove it")
    needed = {
        "User": config.get("User") == USER,
        "Entrypoint": config.get("Entrypoint") == list(FIRST_PROCESS),
        "ReadonlyRootfs": host.get("ReadonlyRootfs") is True,
        "CapDrop": host.get("CapDrop") == ["ALL"],
        "SecurityOpt": host.get("SecurityOpt") == list(_SECURITY),
        "IpcMode": host.get("IpcMode") == "private",
        "LogConfig": host.get("LogConfig") == {"Type": "none"},
        "MemorySwap": _positive(host, "Memory") and host.get("MemorySwap") == host.get("Memory"),
        "PidsLimit": _positive(host, "PidsLimit"),
        "CpuQuota": _positive(host, "CpuQuota"),
        "NetworkMode": _closed_network(str(host.get("NetworkMode", ""))),
        "Tmpfs": _bounded(cast("Mapping[str, str]", host.get("Tmpfs", {}))),
        "ExtraHosts": all(map(_own_host, cast("Sequence[str]", host.get("ExtraHosts", ())))),
        "Mounts": all(_joint(mount) for mount in cast("Sequence[Mapping[str, object]]", host.get("Mounts", ()))),
    }
    missing = sorted(name for name, kept in needed.items() if not kept)
    if missing:
        raise IsolationMissing(f"a container is not shut: {', '.join(missing)}")


def _positive(host: Mapping[str, object], name: str) -> bool:
    value = host.get(name)
    return isinstance(value, int) and value > 0


def _closed_network(mode: str) -> bool:
    """None at all, or a network that we made: never the engine's default, the host's, or another container's."""
    return mode == "none" or mode.startswith("banksman-")


def _joint(mount: Mapping[str, object]) -> bool:
    """A volume of ours at its one place: no folder of the host, no volume of others."""
    if mount != _mount(source := str(mount.get("Source", ""))):
        return False
    return source.startswith("banksman-joint-")


def _own_host(entry: str) -> bool:
    """A name of the world outside, which leads to somebody in a run's own network."""
    name, _, address = entry.partition(":")
    return re.fullmatch(HOST_PATTERN, name) is not None and _ADDRESS.fullmatch(address) is not None


def _mount(volume: str) -> Mapping[str, object]:
    return {"Type": "volume", "Source": volume, "Target": JOINT, "VolumeOptions": {"NoCopy": True}}


def _bounded(folders: Mapping[str, str]) -> bool:
    wanted = ("nosuid", "nodev", "size=", "nr_inodes=")
    return bool(folders) and all(all(word in options for word in wanted) for options in folders.values())
