"""What is read of a repository, and what it is known by."""

from collections.abc import Mapping

import pytest
from pydantic import JsonValue

from activities.pulumi.files import StackFiles, check_out_spec, packages_of
from activities.sandbox.contracts import Source
from sandbox.pulumi.project import Project, StackSettings
from sandbox.spec import Limits

DIGEST = f"sha256:{'a' * 64}"
OTHER = f"sha256:{'b' * 64}"
COMMIT = "0" * 40


def files(**changes: object) -> StackFiles:
    fields: dict[str, object] = {
        "repository": "acme/shop",
        "folder": ".",
        "commit": COMMIT,
        "stack": "dev",
        "project": Project(name="shop"),
        "settings": StackSettings(),
        "archive": DIGEST,
    }
    return StackFiles.model_validate(fields | changes)


def configured(**config: JsonValue) -> str:
    return files(settings=StackSettings(config=config)).configuration_digest


def test_they_survive_the_store() -> None:
    whole = files(libraries=OTHER, settings=StackSettings(config={"shop:a": {"b": [1, None]}}))
    assert StackFiles.model_validate_json(whole.model_dump_json()) == whole


def test_another_program_or_library_is_another_digest() -> None:
    found = {one.program_digest for one in (files(), files(archive=OTHER), files(libraries=OTHER))}
    assert len(found) == 3
    assert files(commit="1" * 40).program_digest == files().program_digest


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({}, {"a": None}),
        ({"a": "1"}, {"a": 1}),
        ({"a": "1"}, {"b": "1"}),
        ({"a": {"secure": "v1:x"}}, {"a": {"secure": "v1:y"}}),
        ({"a": {"secure": "v1:x"}}, {"a": "a: v1:x"}),
    ],
)
def test_another_configuration_is_another_digest(one: Mapping[str, JsonValue], other: Mapping[str, JsonValue]) -> None:
    assert configured(**one) != configured(**other)
    assert configured(**one) == configured(**one)


def test_what_the_project_says_of_its_configuration_counts() -> None:
    said = files(project=Project(name="shop", config={"a": "1"})).configuration_digest
    assert said != files().configuration_digest


@pytest.mark.parametrize(
    ("text", "packages"),
    [
        ("", []),
        ("pulumi==3.200.0\n", []),
        ("Pulumi>=3,<4 # the library\n\n# nothing else\n", []),
        ("pulumi==3.200.0 \\\n    --hash=sha256:00\n", []),
        ("pulumi\npulumi-aws==7.0.0\n", ["pulumi-aws==7.0.0"]),
        ("pulumi_random\n", ["pulumi_random"]),
        ("-r other.txt\n", ["-r other.txt"]),
        ("./pulumi\n", ["./pulumi"]),
        ("pulumi @ https://example.org/pulumi.whl\n", ["pulumi @ https://example.org/pulumi.whl"]),
    ],
)
def test_more_than_pulumi_s_own_library_is_seen(text: str, packages: list[str]) -> None:
    assert list(packages_of(text.encode())) == packages


@pytest.mark.parametrize("folder", ["..", "a/../b", "/etc", "a//b", "", "a/."])
def test_a_folder_stays_in_the_repository(folder: str) -> None:
    source = Source(repository="acme/shop", commit=COMMIT, pack=DIGEST)
    with pytest.raises(ValueError, match="plain relative path"):
        check_out_spec("run", DIGEST, source, folder=folder, stack="dev", limits=Limits())


def test_a_commit_is_an_id_and_no_option() -> None:
    source = Source(repository="acme/shop", commit="--upload-pack=x", pack=DIGEST)
    with pytest.raises(ValueError, match="no id of a commit"):
        check_out_spec("run", DIGEST, source, folder=".", stack="dev", limits=Limits())
