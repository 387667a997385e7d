"""How commands are started and how their end is told."""

import pytest

from tests.sandbox.running import Run

pytestmark = pytest.mark.docker


@pytest.mark.parametrize("code", [0, 1, 42, 126, 255])
async def test_exit_codes_arrive(run: Run, code: int) -> None:
    result = await run("sh", "-c", f"exit {code}")
    assert (result.exit_code, result.ended, result.oom_seen) == (code, "exit", False)


@pytest.mark.parametrize("number", [1, 6, 9, 11, 15])
async def test_signals_are_told_apart_from_exit_codes(run: Run, number: int) -> None:
    result = await run("sh", "-c", f"kill -{number} $$")
    assert (result.exit_code, result.ended) == (128 + number, "killed")


async def test_an_exit_code_that_looks_like_a_signal_is_an_exit(run: Run) -> None:
    result = await run("sh", "-c", "exit 137")
    assert (result.exit_code, result.ended, result.oom_seen) == (137, "exit", False)


async def test_arguments_arrive_as_they_are(run: Run) -> None:
    odd = ["", " ", "a b", "$(id)", "`id`", "'\"", "new\nline", "ünï→😀", "-x", "*", "\\", "\x7f\x01"]
    result = await run("python3", "-c", "import sys; print(ascii(sys.argv[1:]))", *odd)
    assert result.stdout.text.strip() == ascii(odd)


async def test_a_command_that_does_not_exist_is_a_result(run: Run) -> None:
    result = await run("no-such-command")
    assert (result.exit_code, result.ended) == (127, "exit")
    assert "no-such-command" in result.stderr.text


async def test_a_file_that_cannot_be_run_is_a_result(run: Run) -> None:
    result = await run("/etc/passwd")
    assert (result.exit_code, result.ended) == (126, "exit")


async def test_the_environment_is_what_the_spec_says(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CANARY_OF_THE_HOST", "must-not-arrive")
    result = await run("env", "-0", environment={"GREETING": "häl\nlo", "EMPTY": ""})
    found = dict(line.split("=", 1) for line in result.stdout.text.rstrip("\0").split("\0"))
    assert (found.pop("GREETING"), found.pop("EMPTY")) == ("häl\nlo", "")
    assert set(found) == {"PATH", "HOME", "TMPDIR", "LANG", "BANKSMAN_SECRETS", "BANKSMAN_TELEMETRY"}


async def test_the_directory_is_below_the_workspace(run: Run) -> None:
    result = await run("pwd", directory="a/b", files=[{"path": "a/b/c", "content": b""}])
    assert result.stdout.text == "/workspace/a/b\n"


async def test_nothing_can_be_read_from_the_input(run: Run) -> None:
    result = await run("cat")
    assert (result.exit_code, result.stdout.text) == (0, "")


async def test_the_command_is_nobody_special_and_leads_its_own_session(run: Run) -> None:
    result = await run("sh", "-c", "id -u; id -G; ps -o sid= -p $$; echo $$; tty; umask")
    uid, groups, session, pid, tty, mask = (line.strip() for line in result.stdout.text.splitlines())
    assert (uid, groups, tty, mask) == ("10001", "10001", "not a tty", "0077")
    assert session == pid


async def test_only_the_three_standard_descriptors_are_inherited(run: Run) -> None:
    result = await run("python3", "-c", "import os; print(sorted(os.listdir('/proc/self/fd'), key=int)[:4])")
    assert result.stdout.text == "['0', '1', '2', '3']\n"  # the fourth is the listing itself


async def test_tools_that_jobs_need_are_there(run: Run) -> None:
    result = await run("sh", "-c", "git --version && python3 -m pip --version && python3 -m venv --without-pip x")
    assert result.exit_code == 0, result.stderr.text


async def test_a_broken_pipe_ends_a_writer_as_usual(run: Run) -> None:
    result = await run("bash", "-c", "yes | head -1; echo ${PIPESTATUS[0]}")
    assert result.stdout.text == "y\n141\n"
