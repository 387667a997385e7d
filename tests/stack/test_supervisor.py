"""The supervisor's bad days: killed, interrupted, asked twice, given nonsense."""

import json
import os
import signal
import subprocess
from pathlib import Path

import psutil
import pytest

from deploy.local.state import StackFolder
from tests.stack.running import BIN, ROOT, Running, eventually
from workers.commands.exits import Exit

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]


def in_foreground(running: Running, *options: str) -> "subprocess.Popen[str]":
    """`banksman up` as in a terminal; its output is collected."""
    return subprocess.Popen(
        [str(BIN / "banksman"), "up", *options],
        env=running.environment,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def working_on(home: Path) -> list[psutil.Process]:
    """Every process that has this folder in its command line or environment."""
    found: list[psutil.Process] = []
    for process in psutil.process_iter():
        try:
            words = [*process.cmdline(), *process.environ().values()]
        except psutil.Error:
            continue
        if any(str(home) in word for word in words) and process.pid != os.getpid():
            found.append(process)
    return found


def one_line(done: "subprocess.CompletedProcess[str]") -> str:
    said = (done.stdout + done.stderr).strip()
    assert "Traceback" not in said
    return said


def test_a_second_up_says_what_is_already_running(stack: Running) -> None:
    before = stack.state
    done = stack.banksman("up", "--detach")
    assert done.returncode == 0
    assert "already running" in done.stdout
    assert before["temporal"]["ui"] in done.stdout
    assert stack.state["children"] == before["children"]


def test_stack_json_keeps_its_contract(stack: Running) -> None:
    state = stack.state
    assert state["temporal"].keys() >= {"address", "namespace", "ui"}
    assert state["vault"]["address"].startswith("http://127.0.0.1:")
    assert state["twins"]["github"]["url"].startswith("http://127.0.0.1:")
    for role in ("goals", "connectors"):
        assert psutil.pid_exists(state["workers"][role]["pid"])
        assert state["workers"][role]["metrics"].endswith("/metrics")
    assert Path(state["logs"]).is_dir()


def test_what_the_stack_keeps_is_its_owners_alone(stack: Running) -> None:
    assert stack.home.stat().st_mode & 0o077 == 0
    for name in ("stack.json", "control.sock", "vault/init.json", "vault/unseal.key", "twins/github-app.pem"):
        assert (stack.home / name).stat().st_mode & 0o077 == 0, name
    for made_by_a_child in ("temporal.db", "logs/worker-goals.log"):
        assert (stack.home / made_by_a_child).stat().st_mode & 0o077 == 0, made_by_a_child


def test_status_tells_of_each_child(stack: Running) -> None:
    told = json.loads(stack.banksman("status", "--json").stdout)
    assert (told["running"], told["ready"]) == (True, True)
    assert {one["name"] for one in told["children"]} >= {"temporal", "vault", "twin-github", "worker-goals"}


def test_a_stack_survives_what_its_supervisor_does_not(stack: Running, encrypted: Running) -> None:
    """Started beside another, killed, started again over the leftovers, interrupted: nothing is lost or left."""
    running, home, supervisor = encrypted, encrypted.home, psutil.Process(encrypted.state["pid"])
    command = supervisor.cmdline()
    options = command[command.index("up") + 1 :]
    _shares_nothing_with(stack, running)
    for name in ("one", "two"):
        asked = json.dumps({"repository": f"acme/{name}", "path": "note.txt"})
        assert running.read_file(f"before-{name}", asked)["result"]["content"] == f"{name}\n"
    roles = _vault_setup(running)

    supervisor.kill()
    supervisor.wait(30)
    left = [process for process in working_on(home) if process.is_running()]
    assert len(left) >= 6, "the children outlive a supervisor that was killed"
    again = running.banksman("up", "--detach", *options, seconds=120)
    assert again.returncode == 0, again.stdout + again.stderr
    assert "left by an environment that was killed" in again.stderr
    assert not [process for process in left if process.is_running()]
    changed = [line for line in again.stderr.splitlines() if "vault:" in line and "unchanged" not in line]
    assert changed == [], "the bootstrap found all as it left it"
    assert "registered" not in again.stderr
    assert _vault_setup(running) == roles
    assert "ReadFile" in running.history("before-one"), "histories survive"
    asked = json.dumps({"repository": "acme/two", "path": "note.txt"})
    assert running.read_file("after", asked)["outcome"] == "completed"

    os.kill(running.state["pid"], signal.SIGINT)
    eventually(lambda: not working_on(home), what="the end of every child", seconds=90)
    assert not (home / "stack.json").exists()
    assert not (home / "control.sock").exists()
    for _ in range(2):
        done = running.banksman("down")
        assert (done.returncode, done.stdout.strip()) == (0, "No stack is running here.")
    assert running.banksman("status").returncode == Exit.NO_STACK
    assert running.banksman("run", "ReadFile", "--input", asked).returncode == Exit.NO_STACK


def _shares_nothing_with(one: Running, other: Running) -> None:
    def addresses(running: Running) -> set[str]:
        state = running.state
        found = {state["temporal"]["address"], state["temporal"]["ui"], state["vault"]["address"], running.github}
        return found | {state["traces"]["url"]} | {worker["metrics"] for worker in state["workers"].values()}

    assert not addresses(one) & addresses(other)


def _vault_setup(running: Running) -> dict[str, str]:
    """The role id that each worker process was started with; the sandbox's comes after the environment is ready."""
    eventually(lambda: all(one["pid"] for one in running.state["workers"].values()), what="every worker", seconds=90)
    found: dict[str, str] = {}
    for role, worker in running.state["workers"].items():
        found[role] = psutil.Process(worker["pid"]).environ()["BANKSMAN_VAULT_ROLE_ID"]
    return found


def test_ctrl_c_during_the_start_ends_what_had_started(home: Path) -> None:
    running = Running(home)
    terminal = in_foreground(running)
    eventually(lambda: (home / "stack.json").exists() and running.state["children"], what="a first child", seconds=90)
    terminal.send_signal(signal.SIGINT)
    said, _ = terminal.communicate(timeout=120)
    assert "Traceback" not in said
    assert terminal.returncode == 0
    assert not working_on(home)


@pytest.mark.parametrize("detach", [[], ["--detach"]], ids=["in the foreground", "detached"])
def test_a_folder_that_is_no_repository_is_named(home: Path, tmp_path: Path, detach: list[str]) -> None:
    done = Running(home).banksman("up", *detach, "--repository", f"acme/none={tmp_path}")
    assert done.returncode == Exit.FAILED
    assert "'acme/none'" in one_line(done)
    assert "git repository" in one_line(done)
    assert not working_on(home)


@pytest.mark.parametrize(
    ("option", "says"),
    [
        ("acme/shop", "is not OWNER/NAME=PATH"),
        ("shop=.", "is not OWNER/NAME=PATH"),
        ("acme/../shop=.", "is not OWNER/NAME=PATH"),
        ("/shop=.", "is not OWNER/NAME=PATH"),
        ("acme/..=.", "is not OWNER/NAME=PATH"),
        ("acme/shop=/no/such/folder", "there is no folder"),
    ],
)
def test_a_repository_option_that_makes_no_sense_is_refused(home: Path, option: str, says: str) -> None:
    done = Running(home).banksman("up", "--detach", "--repository", option)
    assert done.returncode == Exit.USAGE
    assert says in one_line(done)


def test_a_part_that_does_not_start_shows_its_last_lines_and_ends_the_rest(home: Path) -> None:
    home.mkdir()
    (home / "temporal.db").write_text("this is no database" * 100)
    done = Running(home).banksman("up", "--detach", seconds=120)
    assert done.returncode == Exit.FAILED
    assert "temporal ended with exit code" in one_line(done)
    assert "Its last lines" in one_line(done)
    assert "database" in one_line(done)
    assert not working_on(home)
    assert not (home / "stack.json").exists()


def test_two_stacks_do_not_share_a_folder(home: Path) -> None:
    with StackFolder(home).held():
        done = Running(home).banksman("up")
    assert done.returncode == Exit.FAILED
    assert "another environment starts or ends" in one_line(done)


def test_a_folder_with_no_room_for_a_socket_is_named(tmp_path: Path) -> None:
    for command in (["up", "--detach"], ["status"], ["down"]):
        done = Running(tmp_path / ("long" * 30)).banksman(*command)
        assert done.returncode == Exit.USAGE
        assert "BANKSMAN_HOME" in one_line(done)
