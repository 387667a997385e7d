"""A commit taken apart: what a repository can put there, and what is refused of it by name."""

import io
import json
import tarfile

import pytest

from activities.pulumi.contracts import PrepareStackRequest
from activities.pulumi.place import StackPlace
from connectors.errors import InvalidRequest
from sandbox.errors import SpecRefused
from tests.sandbox.attacks.registry import WHEEL, wheel
from tests.sandbox.pulumi.conftest import ONE_LOOP
from tests.sandbox.pulumi.steps.conftest import FOLDER, REPOSITORY, SHOP, Shop

pytestmark = [pytest.mark.docker, pytest.mark.timeout(300), ONE_LOOP]


async def test_only_the_project_s_folder_is_taken_and_nothing_of_git(shop: Shop) -> None:
    source = await shop.commit(SHOP, **{"../../elsewhere.txt": "not of the project", "deep/er.txt": "of it"})
    prepared = await shop.run(shop.looks.prepare_stack, PrepareStackRequest(place=shop.place, source=source))
    kept = json.loads(await shop.text(prepared.prepared))
    with tarfile.open(fileobj=io.BytesIO(await shop.store.get(kept["archive"]))) as packed:
        names = [".", "./Pulumi.yaml", "./__main__.py", "./databases.py", "./deep", "./deep/er.txt"]
        assert sorted(packed.getnames()) == names
        assert {(one.mtime, one.uid, one.gid) for one in packed.getmembers()} == {(0, 0, 0)}


@pytest.mark.parametrize(
    ("project", "words"),
    [
        ("name: example\nruntime: python\nbackend: {url: file:///tmp}\n", "'backend' in 'Pulumi.yaml' is refused"),
        ("name: example\nruntime: python\nplugins: {providers: []}\n", "'plugins' in 'Pulumi.yaml' is refused"),
        ("name: example\nruntime: nodejs\n", "the runtime 'nodejs'"),
    ],
)
async def test_what_could_lead_the_engine_elsewhere_is_refused_by_name(shop: Shop, project: str, words: str) -> None:
    with pytest.raises(SpecRefused, match=words):
        await shop.prepare(SHOP, **{"Pulumi.yaml": project})


@pytest.mark.parametrize(
    ("folder", "more", "words"),
    [
        ("nowhere", {}, "^there is no folder 'nowhere' of "),
        ("infra", {}, "has no 'Pulumi.yaml'"),
        ("..", {}, "no plain relative path"),
        (FOLDER, {"Pulumi.yaml": "#" * 300_000}, "longer than 262144 bytes"),
        (FOLDER, {"requirements.txt": "pulumi==3.200.0\nleft-pad==1\n"}, "needs the package 'left-pad==1'"),
    ],
)
async def test_what_is_missing_or_too_much_is_one_clear_error(
    shop: Shop, folder: str, more: dict[str, str], words: str
) -> None:
    place = StackPlace(repository=REPOSITORY, folder=folder, stack="dev")
    with pytest.raises(InvalidRequest, match=words):
        await shop.run(
            shop.looks.prepare_stack, PrepareStackRequest(place=place, source=await shop.commit(SHOP, **more))
        )


async def test_pulumi_s_own_library_is_in_the_image(shop: Shop) -> None:
    prepared = await shop.prepare(SHOP, **{"requirements.txt": "pulumi>=3,<4  # that is all\n"})
    assert json.loads(await shop.text(prepared.prepared))["libraries"] is None


@pytest.mark.parametrize("said", [{"libraries": "package-registries"}])
async def test_packages_are_fetched_apart_and_found_by_the_program(shop: Shop, said: dict[str, object]) -> None:
    assert said
    code = "import tinyhello\n" + SHOP
    prepared = await shop.prepare(code, **{WHEEL: wheel(), "requirements.txt": f"./{WHEEL}\n"})
    kept = json.loads(await shop.text(prepared.prepared))
    with tarfile.open(fileobj=io.BytesIO(await shop.store.get(kept["libraries"]))) as packed:
        assert any("tinyhello" in name for name in packed.getnames())
    previewed = await shop.preview()
    assert "1 to create" in previewed.headline
    with pytest.raises(InvalidRequest, match="could not be fetched"):
        await shop.prepare(code, **{"requirements.txt": "./missing-1.0-py3-none-any.whl\n"})


async def test_a_pack_that_is_none_is_told_as_that(shop: Shop) -> None:
    source = await shop.commit(SHOP)
    other = source.model_copy(update={"pack": await shop.store.put(b"no pack")})
    with pytest.raises(InvalidRequest, match="could not be checked out"):
        await shop.run(shop.looks.prepare_stack, PrepareStackRequest(place=shop.place, source=other))


async def test_what_was_prepared_of_another_stack_is_refused(shop: Shop) -> None:
    await shop.prepare()
    look = await shop.look()
    other = look.model_copy(update={"place": shop.place.model_copy(update={"stack": "live"})})
    with pytest.raises(InvalidRequest, match="is not of the stack 'live'"):
        await shop.run(shop.looks.read_outputs, other)
