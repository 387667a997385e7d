"""An update's lock file, judged by the step: both files are read from the store, and no tool is believed."""

from pathlib import Path
from typing import Any

import pytest
from temporalio.testing import ActivityEnvironment

from activities.coding.contracts import JudgeUpdateRequest, UpdateJudged
from activities.coding.updates import UpdateGate
from activities.sandbox.session_contracts import ChangedFile
from connectors.artifacts import ArtifactStore
from sandbox.gate.kinds import Kind
from tests.sandbox.updates.registries import HOSTS, Package
from tests.sandbox.updates.working import AFTER, BEFORE, lock

PATCH = "diff --git a/uv.lock b/uv.lock\n--- a/uv.lock\n+++ b/uv.lock\n@@ -1 +1 @@\n-version = 0\n+version = 1\n"
BESIDE = (*AFTER, Package("third", "3.0"))


async def judged(folder: Path, after: str, *, patch: str = PATCH, **changed: Any) -> UpdateJudged:
    store = ArtifactStore(str(folder))
    kept = [await store.put(text.encode()) for text in (lock(*BEFORE), lock(*BESIDE), after, patch)]
    request = JudgeUpdateRequest(
        repository="acme/shop",
        kind=Kind.DEPS,
        lock="uv.lock",
        before=kept[0],
        every=kept[1],
        file=ChangedFile(path="uv.lock", change="changed", size=len(after), content=kept[2]),
        patch=kept[3],
        patch_size=len(patch),
        hosts=HOSTS,
        links={"hello": "https://example.com/changes", "other": "javascript:alert(1)"},
    )
    request = request.model_copy(update=changed)
    return await ActivityEnvironment().run(UpdateGate(store).judge_update, request)


async def test_an_honest_update_passes_with_what_moves_and_what_could(tmp_path: Path) -> None:
    told = await judged(tmp_path, lock(*AFTER))
    assert told.refusals == ()
    assert {(one.name, one.before, one.after, one.link) for one in told.moved} == {
        ("hello", "1.0", "1.1", "https://example.com/changes"),
        ("helper", "", "1.0", ""),
        ("other", "2.0", "2.1", ""),
    }


@pytest.mark.parametrize(
    ("after", "changed", "rule"),
    [
        (lock(*AFTER, host="evil.example.com"), {}, "registries"),
        ("no lock file", {}, "lock"),
        (lock(*AFTER), {"patch": PATCH.replace("uv.lock", "src/shop.py")}, "lock"),
        (lock(*AFTER), {"patch": "no patch"}, "lock"),
        (lock(*AFTER), {"kind": Kind.DOCS}, "lock"),
        (lock(*AFTER), {"lock": "other/uv.lock"}, "lock"),
        (lock(*AFTER), {"write": ("docs/**",)}, "lock"),
        (lock(*AFTER), {"patch_size": 10**9}, "lock"),
    ],
    ids=["elsewhere", "unreadable", "another file", "no patch", "kind", "path", "not to be written", "large"],
)
async def test_what_is_no_such_update_is_refused(
    tmp_path: Path, after: str, changed: dict[str, Any], rule: str
) -> None:
    told = await judged(tmp_path, after, **changed)
    assert {one.rule for one in told.refusals} == {rule}
