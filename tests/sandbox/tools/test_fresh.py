"""A session on a commit and a change: what one session kept, another begins with, and nothing else of the first."""

import pytest

from activities.sandbox.session_contracts import (
    CLOSE_SESSION,
    KEEP_CHANGES,
    READ_TEXT,
    RUN_PROGRAM,
    WRITE_FILE,
    OpenSessionRequest,
)
from connectors.errors import InvalidRequest
from sandbox.gate.kinds import KINDS, Kind
from tests.sandbox.tools.working import Work

pytestmark = [pytest.mark.docker, pytest.mark.asyncio(loop_scope="module")]
TESTS = ("python3", "-m", "unittest", "discover", "-s", "src")
THROUGH_A_LINK = """\
diff --git a/out/owned b/out/owned
new file mode 100644
--- /dev/null
+++ b/out/owned
@@ -0,0 +1 @@
+mine
"""
OUTSIDE = THROUGH_A_LINK.replace("out/owned", "../../owned")
NOT_OF_IT = THROUGH_A_LINK.replace("new file mode 100644\n", "").replace("/dev/null", "a/out/owned")


async def opened(work: Work, patch: str) -> str:
    request = OpenSessionRequest(source=work.source, patch=patch, rules=KINDS[Kind.REFACTOR].session(()))
    return (await work.environment().run(work.steps.open_session, request)).session


async def test_tests_run_on_the_change_and_nothing_of_the_session_that_made_it_is_there(work: Work) -> None:
    first = await work.open()
    await work.ask(WRITE_FILE, first, path="src/basket.py", content="def total(prices):\n    return 4\n")
    assert (await work.ask(RUN_PROGRAM, first, command=("python3", "play.py", "count"))).stdout == "x\n"
    await work.ask(WRITE_FILE, first, path="ignored/left.txt", content="left\n")
    kept = await work.ask(KEEP_CHANGES, first)
    await work.ask(CLOSE_SESSION, first)
    fresh = await opened(work, kept.patch or "")
    assert (await work.ask(READ_TEXT, fresh, path="src/basket.py")).text == "def total(prices):\n    return 4\n"
    assert (await work.ask(READ_TEXT, fresh, path="ignored/left.txt")).refused
    assert (await work.ask(RUN_PROGRAM, fresh, command=("python3", "play.py", "count"))).stdout == "x\n"
    failed = await work.ask(RUN_PROGRAM, fresh, command=TESTS)
    assert (failed.exit_code, "4 != 3" in failed.stderr) == (1, True)
    again = await work.ask(KEEP_CHANGES, fresh)
    assert (again.files, kept.left_out) == (kept.files, ())
    assert all("__pycache__" in one for one in again.left_out)
    await work.ask(CLOSE_SESSION, fresh)


@pytest.mark.parametrize("patch", [THROUGH_A_LINK, OUTSIDE, NOT_OF_IT, "rm -rf /\n"])
async def test_a_patch_that_git_does_not_take_opens_nothing(work: Work, patch: str) -> None:
    with pytest.raises(InvalidRequest, match="with its change could not be checked out"):
        await opened(work, await work.store.put(patch.encode()))
