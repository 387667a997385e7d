"""What runs in the container, on this machine: real uv, registries over HTTP, repositories that mean no good."""

import json
from pathlib import Path

import pytest

from sandbox.gate.locks import read_lock
from sandbox.gate.updated import judge_update
from tests.sandbox.updates.registries import HOSTS, Package
from tests.sandbox.updates.working import BEFORE, PROJECT, Here, lock


def versions(text: str) -> dict[str, tuple[str, ...]]:
    return dict(read_lock("uv.lock", text.encode()).versions())


def test_all_that_may_move_does_and_the_lock_file_has_the_registries_own_addresses(here: Here) -> None:
    tree = here.begin()
    said = here.update()
    assert (said["lock"], said["ecosystem"]) == ("uv.lock", "python")
    assert said["links"]["hello"] == "https://code.example.com/hello/changes"
    assert versions(here.kept("after")) == {"hello": ("1.1",), "helper": ("1.0",), "other": ("2.1",)}
    assert "127.0.0.1" not in here.kept("after") + here.kept("patch")
    assert (tree / "pyproject.toml").read_text() == PROJECT
    before, after = (read_lock("uv.lock", here.kept(one).encode()) for one in ("before", "after"))
    assert judge_update(before, after, hosts=HOSTS) == ()


def test_of_a_group_only_that_moves_and_what_else_could_is_told(here: Here) -> None:
    here.begin()
    here.update("other")
    assert versions(here.kept("after")) == {"hello": ("1.0",), "other": ("2.1",)}
    assert versions(here.kept("all"))["hello"] == ("1.1",)
    changed = [one for one in here.kept("patch").splitlines() if one[:1] in "+-" and "hello" in one]
    assert changed == []


def test_where_nothing_moves_nothing_is_kept_and_nothing_is_fetched(here: Here) -> None:
    here.registries.python = [*BEFORE]
    here.begin()
    here.update()
    assert here.kept("patch") == ""
    assert not (here.folder / "out" / "libraries.tar").exists()


def test_a_package_without_a_wheel_is_refused_before_its_setup_runs(here: Here) -> None:
    ran = Path("/tmp/ran")  # noqa: S108 - where that setup would write
    ran.unlink(missing_ok=True)
    here.registries.python = [Package("hello", "1.0"), Package("hello", "1.5", source=True), Package("other", "2.0")]
    here.begin(**{"pyproject.toml": PROJECT.replace("hello>=1", "hello>=1.2")})
    said = here.update()
    assert "hello" in said["refused"]
    assert not ran.exists()


def test_a_project_that_would_be_built_is_refused(here: Here) -> None:
    build = '\n[build-system]\nrequires = []\nbuild-backend = "evil"\nbackend-path = ["."]\n'
    dynamic = PROJECT.replace('dependencies = ["hello>=1", "other>=2"]', 'dynamic = ["dependencies"]')
    here.begin(**{"pyproject.toml": dynamic + build, "evil.py": "open('ran', 'w')\n"})
    assert "does not say what it needs as plain text" in here.update()["refused"]
    assert not (here.folder / "tree" / "ran").exists()


@pytest.mark.parametrize("what", ["down", "gone"])
def test_a_registry_that_does_not_answer_leaves_nothing_half_done(here: Here, what: str) -> None:
    here.begin()
    here.registries.down = what == "down"
    if what == "gone":
        here.registries.python = []
    said = here.update()
    assert "`uv lock` ended with" in said["refused"]
    assert [*(here.folder / "out").iterdir()] == []


def test_a_version_whose_content_the_registry_has_exchanged_is_not_taken(here: Here) -> None:
    """The lock file names another digest than the registry does now: the tool takes it, the gate does not."""
    known = lock(*BEFORE)
    digest = known.partition("sha256:")[2][:64]
    here.begin(**{"uv.lock": known.replace(digest, "0" * 64)})
    here.update("other")
    before, after = (read_lock("uv.lock", here.kept(one).encode()) for one in ("before", "after"))
    refusals = judge_update(before, after, hosts=HOSTS)
    assert [(one.rule, one.at) for one in refusals] == [("digests", "hello 1.0")]


def test_several_lock_files_are_told_and_one_is_chosen_by_its_path(here: Here) -> None:
    here.begin(
        **{
            "web/package.json": "{}",
            "web/package-lock.json": "{}",
            "a/uv.lock": lock(*BEFORE),
            "a/pyproject.toml": PROJECT,
        }
    )
    assert "name it in 'write', as one of a/uv.lock, uv.lock, web/package-lock.json" in here.update()["refused"]


def test_a_lock_file_in_a_folder_is_written_there_and_its_packages_are_kept(here: Here) -> None:
    here.begin(**{"a/uv.lock": lock(*BEFORE), "a/pyproject.toml": PROJECT})
    assert here.update(write=("a/**",))["lock"] == "a/uv.lock"
    assert versions(here.kept("after"))["hello"] == ("1.1",)
    assert (here.folder / "out" / "libraries" / "hello.py").read_text() == "VERSION = '1.1'\n"


def test_a_repository_without_a_lock_file_is_told_so(here: Here) -> None:
    here.begin()
    assert here.update(ecosystem="npm") == {
        "refused": "there is no package-lock.json here: other lock files are not updated yet"
    }


def test_a_lock_file_that_is_a_link_is_not_followed(here: Here) -> None:
    tree = here.begin()
    (tree / "uv.lock").unlink()
    (tree / "uv.lock").symlink_to("/etc/passwd")
    assert "no plain file" in here.update()["refused"]


def test_an_audit_tells_before_and_after(here: Here) -> None:
    tree = here.begin()
    (tree / "uv.lock").write_text(lock(Package("hello", "1.1"), Package("other", "2.0")))
    here.registries.vulnerable = [("hello", "1.0")]
    said = here.audit()
    assert [one["dependency"]["name"] for one in said["before"]["vulnerabilities"]] == ["hello"]
    assert said["after"]["vulnerabilities"] == []


def test_an_audit_that_nobody_answers_has_not_run(here: Here) -> None:
    here.begin()
    here.registries.audits = False
    said = here.audit()
    assert said.keys() == {"refused"}
    assert "503" in json.dumps(said)
