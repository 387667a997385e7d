"""The list of calls: what it says, and that what people run gets on with it."""

import json
from typing import cast

import pytest

from sandbox import probe
from sandbox.docker.seccomp import ALLOWED, SECURITY_OPTION
from tests.sandbox.running import Run


def test_each_call_is_named_once() -> None:
    assert len(set(ALLOWED)) == len(ALLOWED)


def test_what_the_self_test_tries_is_not_in_the_list() -> None:
    assert not set(ALLOWED) & set(probe._CALLS)


def test_what_depends_on_its_arguments_is_not_allowed_without_them() -> None:
    profile = cast("dict[str, list[dict[str, list[str]]]]", json.loads(SECURITY_OPTION.removeprefix("seccomp=")))
    anyhow = {name for rule in profile["syscalls"] if not rule.get("args") for name in rule["names"]}
    assert not anyhow & {"socket", "socketpair", "clone", "personality"}


@pytest.mark.docker
@pytest.mark.parametrize(
    "script",
    [
        "git init -q r; cd r; echo a > a; git add a; git -c user.name=a -c user.email=a@b commit -qm a; git gc -q",
        'python3 -m venv --without-pip v; v/bin/python -c "import ssl, sqlite3"',
        "python3 -c 'import multiprocessing as m; print(m.Pool(2).map(abs, [1, 2]))'",
        # It is waited for: asyncio says on standard error where its loop is closed before the child is reaped.
        "python3 -c 'import asyncio as a; r = a.Runner(); r.run(r.run(a.create_subprocess_exec(\"true\")).wait())'",
        "mkdir d && tar cf d.tar d && xz d.tar && find . -name '*.xz' | xargs sha256sum | sort",
    ],
)
async def test_what_people_run_gets_on_with_it(run: Run, script: str) -> None:
    result = await run("sh", "-ec", script)
    assert (result.exit_code, result.stderr.text) == (0, "")
