"""No configuration that opens a container can be said, and none that was opened is sent."""

from collections.abc import Mapping
from typing import cast

import pytest
from pydantic import ValidationError

from sandbox.docker.hardening import Place, container_config, refuse_weak, resources
from sandbox.errors import IsolationMissing
from sandbox.spec import MIB, Limits, RunSpec

IMAGE = "sha256:" + "a" * 64
CONFIG = container_config(Place.of(IMAGE, Limits()), Limits(), {})


def test_what_is_sent_is_shut() -> None:
    refuse_weak(CONFIG)


@pytest.mark.parametrize(
    "opened",
    [
        {"Privileged": True},
        {"Binds": ["/:/host"]},
        {"Binds": ["/var/run/docker.sock:/var/run/docker.sock"]},
        {"Mounts": [{"Type": "bind", "Source": "/", "Target": "/host"}]},
        {"VolumesFrom": ["other"]},
        {"PidMode": "host"},
        {"UTSMode": "host"},
        {"UsernsMode": "host"},
        {"CgroupnsMode": "host"},
        {"CgroupParent": "/"},
        {"IpcMode": "host"},
        {"IpcMode": "shareable"},
        {"NetworkMode": "host"},
        {"NetworkMode": "bridge"},
        {"NetworkMode": "default"},
        {"NetworkMode": "container:other"},
        {"CapAdd": ["SYS_ADMIN"]},
        {"CapDrop": []},
        {"CapDrop": ["NET_RAW"]},
        {"SecurityOpt": []},
        {"SecurityOpt": ["no-new-privileges:true", "seccomp=unconfined"]},
        {"SecurityOpt": ["no-new-privileges:true", "apparmor=unconfined"]},
        {"SecurityOpt": ["no-new-privileges:true", "systempaths=unconfined"]},
        {"Devices": [{"PathOnHost": "/dev/kmsg", "PathInContainer": "/dev/kmsg", "CgroupPermissions": "rwm"}]},
        {"DeviceCgroupRules": ["a *:* rwm"]},
        {"DeviceRequests": [{"Count": -1}]},
        {"ReadonlyRootfs": False},
        {"ReadonlyPaths": []},
        {"MaskedPaths": []},
        {"Sysctls": {"kernel.msgmax": "1"}},
        {"GroupAdd": ["0"]},
        {"OomKillDisable": True},
        {"Memory": 0},
        {"MemorySwap": -1},
        {"PidsLimit": 0},
        {"PidsLimit": -1},
        {"CpuQuota": 0},
        {"PortBindings": {"80/tcp": [{"HostPort": "80"}]}},
        {"PublishAllPorts": True},
        {"Links": ["other"]},
        {"VolumeDriver": "local"},
        {"StorageOpt": {"size": "1G"}},
        {"LogConfig": {"Type": "json-file"}},
        {"Tmpfs": {}},
        {"Tmpfs": {"/workspace": "rw"}},
        {"Tmpfs": {"/workspace": "size=1,nr_inodes=1,nodev"}},
    ],
    ids=str,
)
def test_an_opened_one_is_refused(opened: Mapping[str, object]) -> None:
    host = {**cast("Mapping[str, object]", CONFIG["HostConfig"]), **opened}
    with pytest.raises(IsolationMissing):
        refuse_weak({**CONFIG, "HostConfig": host})


@pytest.mark.parametrize(
    "opened",
    [
        {"User": "0:0"}, {"User": ""}, {"User": "root"}, {"Entrypoint": ["sh"]}, {"Volumes": {"/x": {}}},
        {"ExposedPorts": {"80/tcp": {}}}, {"MacAddress": "02:42:ac:11:00:02"}, {"HostConfig": {}},
    ],
    ids=str,
)  # fmt: skip
def test_an_opened_process_is_refused(opened: Mapping[str, object]) -> None:
    with pytest.raises(IsolationMissing):
        refuse_weak({**CONFIG, **opened})


@pytest.mark.parametrize(
    "field",
    ["privileged", "mounts", "binds", "volumes", "network", "network_mode", "cap_add", "devices", "user", "pid_mode",
     "security_opt", "runtime", "secrets", "entrypoint", "sysctls", "ports"],
)  # fmt: skip
def test_a_spec_has_no_word_for_it(field: str) -> None:
    with pytest.raises(ValidationError, match="Extra inputs"):
        RunSpec.model_validate({"run_id": "a", "image": IMAGE, "argv": ["true"], field: "x"})


@pytest.mark.parametrize(
    "fields",
    [
        {"image": "debian:bookworm"}, {"image": "latest"}, {"image": "sha256:abc"}, {"argv": []}, {"argv": [""]},
        {"argv": ["a\0b"]}, {"argv": ["x" * 200_000]}, {"run_id": "../x"}, {"run_id": ""}, {"run_id": "a" * 64},
        {"directory": "/etc"}, {"directory": "../x"}, {"artifacts": ["/etc/passwd"]}, {"artifacts": ["a/../../b"]},
        {"artifacts": ["."]}, {"files": [{"path": "/etc/x", "content": b""}]}, {"environment": {"A=B": "x"}},
        {"files": [{"path": "a", "content": b""}, {"path": "a", "content": b""}]}, {"environment": {"A": "x\0"}},
        {"files": [{"path": "a", "content": b""}, {"path": "a/b", "content": b""}]}, {"purpose": "Bad Purpose"},
        {"inputs": [{"path": "a", "reference": "../../etc/passwd"}]},
        {"limits": {"memory_bytes": 128 * MIB, "workspace_bytes": 128 * MIB}},
        {"limits": {"shm_bytes": 512 * MIB}}, {"limits": {"wall_seconds": 0}}, {"limits": {"pids": 0}},
        {"limits": {"cpus": 0}}, {"limits": {"wall_seconds": float("inf")}}, {"limits": {"memory_bytes": -1}},
        {"limits": {"workspace_bytes": MIB}, "files": [{"path": "a", "content": b"x" * (MIB + 1)}]},
    ],
    ids=lambda fields: str(fields)[:60],
)  # fmt: skip
def test_impossible_specs_are_refused(fields: Mapping[str, object]) -> None:
    with pytest.raises(ValidationError):
        RunSpec.model_validate({"run_id": "a", "image": IMAGE, "argv": ["true"], **fields})


def test_a_spec_survives_json_with_its_bytes() -> None:
    spec = RunSpec.model_validate(
        {"run_id": "a", "image": IMAGE, "argv": ["true"], "files": [{"path": "f", "content": bytes(range(256))}]}
    )
    assert RunSpec.model_validate_json(spec.model_dump_json()) == spec


def test_what_may_change_on_a_waiting_container_is_only_its_resources() -> None:
    assert set(resources(Limits())) == {"Memory", "MemorySwap", "CpuPeriod", "CpuQuota", "PidsLimit"}
