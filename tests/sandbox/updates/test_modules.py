"""Go's modules on this machine: the real go command, a proxy and a checksum database over HTTP."""

import os
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from activities.sandbox.source import FOUND_BY
from sandbox.gate.locks import Lock, read_lock
from sandbox.gate.updated import judge_update, moves
from tests.sandbox.updates.modules import (
    GO_AFTER,
    GO_BEFORE,
    HELLO,
    HELPER,
    OTHER,
    SHOP,
    Module,
    go_mod,
    go_sum,
)
from tests.sandbox.updates.registries import HOSTS
from tests.sandbox.updates.working import Here, committed

pytestmark = pytest.mark.skipif(shutil.which("go") is None, reason="there is no go command here")
RAN = Path("/tmp/ran")  # noqa: S108 - where what a module brings would write


def read(here: Here, which: str) -> Lock:
    return read_lock("go.mod", here.kept(which).encode(), here.kept(f"sums-{which}").encode())


def begun(here: Here, **files: str) -> Path:
    RAN.unlink(missing_ok=True)
    return here.modules(go_mod(*GO_BEFORE), go_sum(*GO_BEFORE), **files)


def test_all_modules_move_with_their_signed_digests_and_nothing_of_them_runs(here: Here) -> None:
    begun(here)
    said = here.update()
    assert (said["lock"], said["ecosystem"]) == ("go.mod", "go")
    assert (here.kept("after"), here.kept("sums-after")) == (go_mod(*GO_AFTER), go_sum(*GO_AFTER))
    assert said["links"] == {one.path: f"https://code.example.com/{one.path.rpartition('/')[2]}" for one in GO_AFTER}
    assert judge_update(read(here, "before"), read(here, "after"), hosts=HOSTS) == ()
    assert {line[6:] for line in here.kept("patch").splitlines() if line.startswith("+++ ")} == {"go.mod", "go.sum"}
    assert not RAN.exists()


def test_tests_find_the_modules_without_any_network_and_look_at_each_digest(here: Here) -> None:
    tree = begun(here)
    here.update()
    with tarfile.open(here.folder / "out" / "libraries.tar") as archive:
        archive.extractall(here.folder, filter="data")
    around = {name: value.replace("/workspace", str(here.folder)) for name, value in FOUND_BY.items()}
    environment = {"PATH": os.environ["PATH"], "HOME": str(here.folder), **around, "GOPATH": str(here.folder / "fresh")}

    def listed() -> subprocess.CompletedProcess[bytes]:
        argv = ["go", "list", "-deps", "-test", "-f", "{{with .Module}}{{.Path}} {{.Version}}{{end}}", "./..."]
        return subprocess.run(argv, cwd=tree, env=environment, capture_output=True, check=False)

    assert {f"{one.path} {one.version}" for one in GO_AFTER} <= set(listed().stdout.decode().splitlines())
    subprocess.run(["go", "clean", "-modcache"], cwd=tree, env=environment, check=True)
    sums = (tree / "go.sum").read_text()
    (tree / "go.sum").write_text(sums.replace(GO_AFTER[0].sums, Module(HELLO, "v1.1.0").sums))
    assert b"SECURITY ERROR" in listed().stderr


def test_of_a_group_only_that_moves_and_what_else_could_is_told(here: Here) -> None:
    begun(here)
    here.update(OTHER)
    assert here.kept("after") == go_mod(GO_BEFORE[0], GO_AFTER[1])
    assert read(here, "all").versions()[HELLO] == ("v1.1.0",)


def test_where_nothing_moves_nothing_is_fetched(here: Here) -> None:
    here.registries.go.modules = [*GO_BEFORE]
    begun(here)
    here.update()
    assert here.kept("patch") == ""
    assert not (here.folder / "out" / "libraries.tar").exists()


def test_a_module_in_a_folder_is_found_and_one_of_tests_data_is_none(here: Here) -> None:
    files = {"go.mod": go_mod(*GO_BEFORE), "go.sum": go_sum(*GO_BEFORE), "shop.go": SHOP}
    more = {"testdata/go.mod": "module x.example.com/x\n", "vendor/y/go.mod": "module y.example.com/y\n"}
    committed(here.folder / "tree", {**{f"api/{path}": text for path, text in files.items()}, **more})
    assert here.update()["lock"] == "api/go.mod"
    assert here.kept("after") == go_mod(*GO_AFTER)


def _exchanged(here: Here) -> None:
    here.registries.go.exchanged = [HELLO]


def _silent(here: Here) -> None:
    here.registries.go.signs = False


def _odd(here: Here) -> None:
    here.registries.go.odd = True


def _down(here: Here) -> None:
    here.registries.down = True


@pytest.mark.parametrize(
    ("attack", "told"),
    [(_exchanged, "SECURITY ERROR"), (_silent, "verifying"), (_odd, "invalid signature"), (_down, "503")],
)
def test_what_the_database_has_not_signed_is_not_taken(here: Here, attack: Callable[[Here], None], told: str) -> None:
    begun(here)
    attack(here)
    refused = here.update()["refused"]
    assert refused.startswith("`go get` ended with")
    assert told in refused
    assert [*(here.folder / "out").iterdir()] == []


@pytest.mark.parametrize(
    ("mod", "files", "told"),
    [
        (go_mod(*GO_BEFORE, go="1.16"), {}, "for a Go before 1.17"),
        (go_mod(*GO_BEFORE), {"vendor/modules.txt": f"# {HELLO} v1.0.0\n"}, "its modules lie in 'vendor'"),
        (f"{go_mod(*GO_BEFORE)}\nreplace {HELLO} => evil.example.com/hello v1.0.0\n", {}, "evil.example.com"),
        (f"{go_mod(*GO_BEFORE)}\nrequire evil.example.com/more v1.0.0\n", {}, "evil.example.com"),
        ("module example.com/shop\n\ngo 1.99\n", {}, "go >= 1.99"),
        ("what is it\n", {}, "unknown directive"),
    ],
    ids=["old", "vendor", "replaced", "unknown", "newer", "none"],
)
def test_what_cannot_be_done_is_refused_with_its_reason(here: Here, mod: str, files: dict[str, str], told: str) -> None:
    here.modules(mod, go_sum(*GO_BEFORE), **files)
    assert told in here.update()["refused"]
    assert not (here.folder / "out" / "libraries.tar").exists()


def test_a_module_that_needs_a_newer_go_is_refused_and_none_is_fetched(here: Here) -> None:
    here.registries.go.modules.append(Module(HELLO, "v1.2.0", go="1.99"))
    begun(here)
    assert "requires go >= 1.99" in here.update(HELLO)["refused"]
    assert not any("toolchain" in path for path in here.registries.seen)


def test_where_one_module_needs_a_newer_go_another_is_still_had(here: Here) -> None:
    here.registries.go.modules.append(Module(HELLO, "v1.2.0", go="1.99"))
    begun(here)
    here.update(OTHER)
    assert here.kept("after") == here.kept("all") == go_mod(GO_BEFORE[0], GO_AFTER[1])
    assert here.kept("sums-after") == go_sum(GO_BEFORE[0], GO_AFTER[1])


def test_a_version_of_go_that_a_module_brings_is_told(here: Here) -> None:
    here.registries.go.modules.append(Module(HELLO, "v1.2.0", go="1.24"))
    begun(here)
    here.update(HELLO)
    before, after = read(here, "before"), read(here, "after")
    assert judge_update(before, after, hosts=HOSTS) == ()
    assert [(one.name, one.after) for one in moves(before, after)] == [(HELLO, ("v1.2.0",)), ("go", ("1.24",))]


def test_what_the_repository_sets_for_the_go_command_is_not_heard(here: Here) -> None:
    """A workspace would bring other modules in, and the file of settings would say where they come from."""
    (here.folder / "go.env").write_text("GOFLAGS=-toolexec=/bin/false\nGOSUMDB=off\n")
    here.around["GOENV"] = str(here.folder / "go.env")
    begun(here, **{"go.work": "go 1.21\n\nuse ./other\n"})
    here.update()
    assert here.kept("after") == go_mod(*GO_AFTER)


def test_names_that_it_does_not_ask_for_and_a_deployment_without_a_proxy_are_refused(here: Here) -> None:
    begun(here)
    assert "does not ask for 'example.com/more'" in here.update("example.com/more")["refused"]
    shutil.rmtree(here.folder / "out")
    here.around["GOPROXY"] = ""
    assert "'go_proxy' in BANKSMAN_SANDBOX_MIRRORS" in here.update()["refused"]


def test_digests_that_are_missing_or_a_link_are_refused(here: Here) -> None:
    tree = begun(here)
    (tree / "go.sum").unlink()
    assert "`go mod tidy` writes it" in here.update()["refused"]
    (tree / "go.sum").symlink_to("/etc/passwd")
    shutil.rmtree(here.folder / "out")
    assert "no plain file" in here.update()["refused"]


def test_an_audit_asks_about_every_module_before_and_after(here: Here) -> None:
    tree = begun(here)
    (tree / "go.mod").write_text(f"{go_mod(*GO_AFTER)}\nreplace {HELPER} => example.com/fork v1.0.1\n")
    here.registries.vulnerable = [(HELLO, "1.0.0"), ("example.com/fork", "1.0.1")]
    said = here.audit("go.mod")
    assert [one["dependency"]["name"] for one in said["before"]["vulnerabilities"]] == [HELLO]
    assert [one["dependency"]["name"] for one in said["after"]["vulnerabilities"]] == ["example.com/fork"]
    assert [said[one]["summary"]["audited_packages"] for one in ("before", "after")] == [2, 3]


@pytest.mark.parametrize(
    ("audits", "paged", "told"), [(False, False, "has not answered"), (True, True, "not told all")]
)
def test_an_audit_that_is_not_answered_in_full_has_not_run(here: Here, audits: bool, paged: bool, told: str) -> None:
    begun(here)
    here.registries.audits, here.registries.paged = audits, paged
    here.registries.vulnerable = [(HELLO, "1.0.0")]
    said = here.audit("go.mod")
    assert said.keys() == {"refused"}
    assert told in said["refused"]
