"""The images are built once, used by digest, and rebuilt when anything in them changes."""

import asyncio
import json
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import pytest

from deploy.images import build as build_module
from deploy.images.build import ImageBuildFailed, build_images
from deploy.local.tools import CACHE
from sandbox.docker.engine import Engine
from sandbox.docker.hardening import LABEL_FIRST_PROCESS, LABEL_IMAGE
from sandbox.docker.provider import DockerSandbox
from sandbox.errors import ImageMissing
from sandbox.provisioning import BuiltImage, Images
from sandbox.spec import RunSpec
from sandbox.wire import first_process_digest

pytestmark = pytest.mark.docker


async def test_a_second_build_costs_nothing(engine: Engine, images: Images, monkeypatch: pytest.MonkeyPatch) -> None:
    def build_again(**_: object) -> object:
        raise AssertionError("nothing has changed")

    monkeypatch.setattr(engine.api, "build", build_again)
    again = await build_images(engine, CACHE / "images.json")
    # Pulumi's is built by who needs it, perhaps since.
    assert (again.base, again.proxy, again.foundation) == (images.base, images.proxy, images.foundation)


async def test_what_was_built_is_what_the_record_names(engine: Engine, images: Images) -> None:
    for name, built in (("base", images.base), ("proxy", images.proxy)):
        inspected = await engine.call(engine.api.inspect_image, built.digest)
        config = cast("dict[str, object]", inspected["Config"])
        labels = cast("Mapping[str, str]", config["Labels"])
        assert inspected["Id"] == built.digest
        assert labels[LABEL_IMAGE] == name
        assert labels[LABEL_FIRST_PROCESS] == first_process_digest()
        assert config["User"] == "10001:10001"
        assert not config.get("Volumes")
        assert not config.get("ExposedPorts")


@pytest.mark.parametrize("content", ["", "not json", "{}", '{"base": 1}'])
async def test_a_record_that_cannot_be_read_is_made_anew(
    engine: Engine, images: Images, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str
) -> None:
    keep_the_foundation(images, monkeypatch)
    record = tmp_path / "images.json"
    record.write_text(content)
    again = await build_images(engine, record)
    assert Images.model_validate_json(record.read_text()) == again
    assert again.base.inputs == images.base.inputs


async def test_a_build_that_fails_says_what_it_said_last(engine: Engine, images: Images) -> None:
    dockerfile = b"ARG BASE\nFROM ${BASE}\nRUN echo the-last-words && exit 7\n"
    with pytest.raises(ImageBuildFailed, match="the-last-words"):
        await build_module._build(
            engine, f"broken-{uuid.uuid4().hex[:6]}", images.base.digest, {"Dockerfile": dockerfile}, None
        )


async def test_an_image_of_another_version_is_refused(engine: Engine, images: Images, sandbox: DockerSandbox) -> None:
    """It would hang or speak another language; the label says so before anything starts."""
    await engine.call(
        build_module._build_now, engine, "banksman/test-old:1",
        build_module._context({"Dockerfile": b"ARG BASE\nFROM ${BASE}\n"}),
        {"base": images.base.digest, "labels": {LABEL_FIRST_PROCESS: "0" * 64}},
    )  # fmt: skip
    digest = await build_module._digest(engine, "banksman/test-old:1")
    try:
        with pytest.raises(ImageMissing, match="built for another version"):
            await sandbox.run(RunSpec(run_id="a", image=digest, argv=("true",)))
    finally:
        await engine.call(engine.api.remove_image, digest, force=True)


async def test_an_image_that_was_replaced_goes_a_day_later(engine: Engine, images: Images, tmp_path: Path) -> None:
    """What a change of the images leaves behind does not fill the disk; who began with it can end with it."""
    old = await other_base(engine, images, "OLD")
    record, replaced = tmp_path / "images.json", tmp_path / "images.replaced.json"
    record.write_text(base_and_proxy(images).model_copy(update={"base": old}).model_dump_json())
    now = await build_images(engine, record)
    assert now.base.digest == images.base.digest
    assert set(json.loads(replaced.read_bytes())) == {old.digest}
    assert await build_module._held(engine, old.digest)
    replaced.write_text(json.dumps({old.digest: ago(hours=23)}))
    await build_images(engine, record)
    assert await build_module._held(engine, old.digest)
    replaced.write_text(json.dumps({old.digest: ago(hours=25)}))
    await build_images(engine, record)
    assert not await build_module._held(engine, old.digest)
    assert json.loads(replaced.read_bytes()) == {}


async def test_an_image_that_is_named_again_is_replaced_no_more(engine: Engine, images: Images, tmp_path: Path) -> None:
    record, replaced = tmp_path / "images.json", tmp_path / "images.replaced.json"
    record.write_text(images.model_dump_json())
    replaced.write_text(json.dumps({images.base.digest: ago(hours=48)}))
    await build_images(engine, record)
    assert json.loads(replaced.read_bytes()) == {}
    assert await build_module._held(engine, images.base.digest)


def ago(hours: int) -> str:
    return (datetime.now(UTC) - timedelta(hours=hours)).isoformat()


@pytest.mark.parametrize("content", ["", "the record of another"])
async def test_what_another_record_names_stays(
    engine: Engine, images: Images, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str
) -> None:
    """An engine may serve several installations: what one of them has built is not another's to remove."""
    keep_the_foundation(images, monkeypatch)
    theirs = await other_base(engine, images, "THEIRS")
    record = tmp_path / "images.json"
    record.write_text(content and base_and_proxy(images).model_dump_json())
    try:
        await build_images(engine, record)
        assert await build_module._held(engine, theirs.digest)
    finally:
        await engine.call(engine.api.remove_image, theirs.digest, force=True)


async def test_builds_of_one_record_wait_for_each_other(
    engine: Engine, images: Images, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside: list[str] = []

    async def build_alone(*_: object) -> Images:
        inside.append("begun")
        await asyncio.sleep(0.05)
        inside.append("ended")
        return images

    monkeypatch.setattr(build_module, "_build_all", build_alone)
    async with asyncio.TaskGroup() as builds:
        for _ in range(3):
            builds.create_task(build_images(engine, tmp_path / "images.json"))
    assert inside == ["begun", "ended"] * 3


def base_and_proxy(images: Images) -> Images:
    """What a record of this test's names: what else was built here would be built and replaced with it."""
    return images.model_copy(update={"pulumi": None, "updates": None})


def keep_the_foundation(images: Images, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would take minutes; the engine's own cache makes the rest quick."""

    async def foundation(*_: object) -> str:
        return images.foundation

    monkeypatch.setattr(build_module, "_foundation", foundation)


async def other_base(engine: Engine, images: Images, name: str) -> BuiltImage:
    dockerfile = f"ARG BASE\nFROM ${{BASE}}\nENV {name}=1\n".encode()
    return await build_module._build(engine, "base", images.base.digest, {"Dockerfile": dockerfile}, None)
