"""A repository's files are read as an attacker's: what would lead the engine elsewhere is refused by name."""

import pytest
import yaml

from sandbox.errors import SpecRefused
from sandbox.pulumi.project import read_project, read_settings

REFUSED = {
    "plugins": "plugins:\n  providers:\n    - name: random\n      path: ./evil\n",
    "packages": "packages:\n  evil: https://evil.example.com/provider@v1\n",
    "backend": "backend:\n  url: https://evil.example.com\n",
    "secretsprovider": "secretsprovider: awskms://evil\n",
    "encryptedkey": "encryptedkey: abc\n",
    "environment": "environment: [prod]\n",
    "Plugins": "Plugins: {}\n",
    "options": "options: {refresh: always}\n",
    "stackConfigDir": "stackConfigDir: ../../etc\n",
}


@pytest.mark.parametrize("key", REFUSED)
def test_what_the_engine_would_run_or_fetch_is_refused_by_name(key: str) -> None:
    with pytest.raises(SpecRefused, match=f"'{key}' in 'Pulumi.yaml'"):
        read_project(f"name: example\nruntime: python\n{REFUSED[key]}".encode())


@pytest.mark.parametrize("key", ["secretsprovider", "encryptedkey", "environment", "backend"])
def test_so_it_is_in_a_stacks_file(key: str) -> None:
    with pytest.raises(SpecRefused, match=f"'{key}' in 'Pulumi.dev.yaml'"):
        read_settings(f"{key}: [x]\n".encode(), "dev")


@pytest.mark.parametrize("runtime", ["nodejs", "go", "yaml", "{name: dotnet}", "client", "[python]", "~"])
def test_other_runtimes_are_refused(runtime: str) -> None:
    with pytest.raises(SpecRefused, match="only 'python' can"):
        read_project(f"name: example\nruntime: {runtime}\n".encode())


def test_what_is_written_anew_holds_only_what_was_taken() -> None:
    project = read_project(
        b"name: example\nruntime: {name: python, options: {virtualenv: venv, toolchain: pip}}\ndescription: d\n"
        b"main: ./infra/\nauthor: somebody\n"
        b"config:\n  aws:region: eu-west-1\n  size: {type: integer, default: 3}\n"
    )
    assert project.main == "infra"
    assert yaml.safe_load(project.written()) == {
        "name": "example", "runtime": "python", "description": "d",
        "config": {"aws:region": "eu-west-1", "size": {"type": "integer", "default": 3}},
    }  # fmt: skip
    settings = read_settings(b"encryptionsalt: v1:aa==:v1:bb==:cc==\nconfig:\n  a:b: {secure: v1:x}\n", "dev")
    assert yaml.safe_load(settings.written()) == {
        "config": {"a:b": {"secure": "v1:x"}}, "encryptionsalt": "v1:aa==:v1:bb==:cc==",
    }  # fmt: skip


@pytest.mark.parametrize("main", ["../outside", "/etc", "a/../../b"])
def test_a_program_outside_of_the_project_is_refused(main: str) -> None:
    with pytest.raises(SpecRefused, match="main"):
        read_project(f"name: example\nruntime: python\nmain: {main}\n".encode())


@pytest.mark.parametrize("text", ["[]", "a: [", "name: example", "name: ../x\nruntime: python", "x" * 300_000])
def test_what_is_no_project_is_told_in_one_sentence(text: str) -> None:
    with pytest.raises(SpecRefused) as refused:
        read_project(text.encode())
    assert "\n" not in str(refused.value)


def test_a_salt_brings_nothing_else_into_the_file() -> None:
    with pytest.raises(SpecRefused, match="salt"):
        read_settings(b'encryptionsalt: "v1:a:v1:b:c\\nsecretsprovider: evil"\n', "dev")
