"""Where a secret could be left: the environment, argv, files, image layers, the engine's records, the host's disk."""

import asyncio
import io
import subprocess
import tarfile
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol, cast

import pytest
from pydantic import SecretBytes

from sandbox.docker.container import Container
from sandbox.docker.engine import Engine
from sandbox.docker.provider import DockerSandbox
from tests.sandbox.attacks import escapes
from tests.sandbox.running import Attack, Run

pytestmark = pytest.mark.docker


@pytest.fixture
def secret() -> str:
    return f"canary-{uuid.uuid4().hex}"


async def test_it_is_nowhere_but_in_its_file(attack: Attack, secret: str) -> None:
    program = escapes.SECRETS.format(canary=secret[:12] + "'b'" + secret[12:])
    assert await attack(program, secrets={"key": SecretBytes(secret.encode())}) == []


async def test_that_attack_finds_a_secret_in_the_environment(run: Run, secret: str) -> None:
    program = escapes.PRELUDE + escapes.SECRETS.format(canary=secret)
    file = {"path": "attack.py", "content": program.encode()}
    result = await run("python3", "attack.py", files=[file], environment={"KEY": secret})
    assert "ESCAPED /proc/self/environ" in result.stdout.text


async def test_a_daemon_cannot_keep_it_beyond_the_command(run: Run, secret: str) -> None:
    code = "setsid sh -c 'sleep 0.3; cp /run/secrets/key /workspace/kept' & true"
    result = await run("sh", "-c", code, secrets={"key": SecretBytes(secret.encode())}, artifacts=["kept"])
    assert result.artifacts == ()


async def test_a_link_to_it_is_no_artifact(run: Run, secret: str) -> None:
    code = "ln -s /run/secrets/key soft; ln /run/secrets/key hard; mkdir d; ln -s /run/secrets d/s; true"
    result = await run(
        "sh", "-c", code, secrets={"key": SecretBytes(secret.encode())}, artifacts=["soft", "hard", "d", "d/s/key"]
    )
    assert result.artifacts == ()
    assert {refused.path: refused.reason for refused in result.refused} == {
        "soft": "link", "hard": "missing", "d/s": "link", "d/s/key": "link",
    }  # fmt: skip


@pytest.fixture
def finished(sandbox: DockerSandbox, engine: Engine) -> dict[str, object]:
    """What the engine says of a container between its end and its removal."""
    seen: dict[str, object] = {}
    remove = sandbox.containers.remove_later

    def look_first(container: Container) -> object:
        seen["diff"] = engine.api.diff(container.id)
        seen["inspect"] = engine.api.inspect_container(container.id)
        return remove(container)

    sandbox.containers.remove_later = look_first  # pyright: ignore[reportAttributeAccessIssue] - looks, then removes
    return seen


async def test_a_finished_run_has_changed_nothing(run: Run, finished: dict[str, object], secret: str) -> None:
    code = "echo x > f; echo x > /tmp/f; cat /run/secrets/key > g; echo x > /etc/f; echo x > /var/tmp/f"
    result = await run("sh", "-c", code, secrets={"key": SecretBytes(secret.encode())})
    assert "Read-only file system" in result.stderr.text
    assert not finished["diff"]
    assert secret not in str(finished["inspect"])


async def test_it_is_not_on_the_hosts_disk(run: Run, engine: Engine, secret: str) -> None:
    """A run that writes its secret to every place that it can; the engine's whole folder is searched meanwhile."""
    found: list[str] = []
    root = Path(str((await engine.call(engine.api.info))["DockerRootDir"]))
    folders = [str(root / name) for name in ("containers", "volumes", "network", "tmp", "buildkit")]

    def search(*_: object) -> None:
        argv = ["grep", "-rlsF", secret, *folders]
        found.append(subprocess.run(argv, capture_output=True, text=True, check=False).stdout)

    code = "cat /run/secrets/key | tee /tmp/a /dev/shm/b > /workspace/c; cat /run/secrets/key; sleep 0.2"
    result = await run("sh", "-c", code, secrets={"key": SecretBytes(secret.encode())}, on_output=search)
    assert result.stdout.text == secret
    search()
    assert found == ["", ""]


async def test_that_search_finds_what_is_there(engine: Engine, image: str, secret: str) -> None:
    root = Path(str((await engine.call(engine.api.info))["DockerRootDir"]))
    name = f"weak-{uuid.uuid4().hex[:8]}"
    config = {"Image": image, "Entrypoint": ["true"], "Env": [f"KEY={secret}"]}
    await engine.call(engine.api.create_container_from_config, config, name)
    try:
        argv = ["grep", "-rlsF", secret, str(root / "containers")]
        search = await asyncio.create_subprocess_exec(*argv, stdout=asyncio.subprocess.PIPE)
        found, _ = await search.communicate()
        assert found != b""
    finally:
        await engine.remove(engine.api.remove_container, name, v=True, force=True)


async def test_the_image_holds_no_credential(engine: Engine, image: str) -> None:
    """No key file, no netrc, no pip or apt credentials in any layer, and nothing in the configuration."""
    inspected = await engine.call(engine.api.inspect_image, image)
    config = cast("dict[str, object]", inspected["Config"])
    names = {entry.split("=", 1)[0] for entry in cast("list[str]", config["Env"])}
    assert names <= {"PATH", "LANG", "DEBIAN_FRONTEND", "PYTHONDONTWRITEBYTECODE"}
    suspicious = (".netrc", ".pypirc", "pip.conf", "auth.conf", ".git-credentials", "id_rsa", ".docker/config.json")
    packed = await engine.call(_save, engine, image)
    names_in_layers = list(_names(packed))
    assert len(names_in_layers) > 5000
    assert [name for name in names_in_layers if name.endswith(suspicious) and "/share/doc/" not in name] == []


class Saving(Protocol):
    """One call of the SDK that only this test makes."""

    def get_image(self, image: str) -> Iterable[bytes]: ...


def _save(engine: Engine, image: str) -> bytes:
    return b"".join(cast("Saving", engine.api).get_image(image))


def _names(packed: bytes) -> Iterable[str]:
    with tarfile.open(fileobj=io.BytesIO(packed)) as image:
        for entry in image.getmembers():
            if entry.name.endswith("layer.tar"):
                layer = image.extractfile(entry)
                assert layer is not None
                with tarfile.open(fileobj=layer) as archive:
                    yield from archive.getnames()
