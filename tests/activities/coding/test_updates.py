"""An update's lock file, judged by the step: both files are read from the store, and no tool is believed."""

from pathlib import Path
from typing import Any

import pytest
from temporalio.testing import ActivityEnvironment

from activities.coding.contracts import JudgeUpdateRequest, UpdateJudged
from activities.coding.updates import UpdateGate
from activities.sandbox.session_contracts import ChangedFile
from activities.sandbox.update_contracts import SumsUpdated
from connectors.artifacts import ArtifactStore
from sandbox.gate.kinds import Kind
from tests.sandbox.updates.modules import GO_AFTER, GO_BEFORE, Module, go_mod, go_sum
from tests.sandbox.updates.registries import HOSTS, Package
from tests.sandbox.updates.working import AFTER, BEFORE, lock, pins

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


async def judged_pins(folder: Path, before: str, after: str) -> UpdateJudged:
    store = ArtifactStore(str(folder))
    kept = [await store.put(text.encode()) for text in (before, after)]
    file = ChangedFile(path="requirements.txt", change="changed", size=len(after), content=kept[1])
    patch = PATCH.replace("uv.lock", "requirements.txt")
    return await judged(folder, after, patch=patch, lock="requirements.txt", before=kept[0], every=kept[1], file=file)


async def test_pins_pass_with_digests_and_without_and_which_they_are_is_told(tmp_path: Path) -> None:
    told = await judged_pins(tmp_path, pins(*BEFORE), pins(*AFTER))
    plain = await judged_pins(tmp_path, pins(*BEFORE, hashed=False), pins(*AFTER, hashed=False))
    assert (told.refusals, told.hashed) == ((), True)
    assert (plain.refusals, plain.hashed) == ((), False)
    assert told.moved == plain.moved
    lost = await judged_pins(tmp_path, pins(*BEFORE), pins(*AFTER, hashed=False))
    assert [one.rule for one in lost.refusals] == ["digests"]


BOTH = PATCH.replace("uv.lock", "go.mod") + PATCH.replace("uv.lock", "go.sum")


async def judged_modules(folder: Path, *modules: Module, patch: str = BOTH, sums: str = "go.sum") -> UpdateJudged:
    store, after = ArtifactStore(str(folder)), go_mod(*modules)
    kept = [
        await store.put(text.encode()) for text in (go_mod(*GO_BEFORE), after, go_sum(*GO_BEFORE), go_sum(*modules))
    ]
    beside = ChangedFile(path=sums, change="changed", size=1, content=kept[3])
    return await judged(
        folder,
        after,
        patch=patch,
        lock="go.mod",
        before=kept[0],
        every=kept[1],
        file=ChangedFile(path="go.mod", change="changed", size=len(after), content=kept[1]),
        sums=SumsUpdated(before=kept[2], every=kept[3], file=beside) if sums else None,
    )


async def test_modules_pass_with_their_digests(tmp_path: Path) -> None:
    told = await judged_modules(tmp_path, *GO_AFTER)
    assert told.refusals == ()
    assert [(one.name, one.after) for one in told.moved] == [
        ("example.com/helper", "v1.0.0"),
        ("example.com/hello", "v1.1.0"),
        ("example.com/other", "v1.1.0"),
    ]


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"sums": ""}, "its digests do not lie where they belong"),
        ({"sums": "other/go.sum"}, "its digests do not lie where they belong"),
        ({"sums": "shop.go"}, "its digests do not lie where they belong"),
        ({"patch": BOTH + PATCH.replace("uv.lock", "shop.go")}, "the patch changes other files"),
        ({"patch": ""}, "the patch changes other files"),
    ],
)
async def test_modules_whose_digests_lie_elsewhere_are_refused(
    tmp_path: Path, changed: dict[str, Any], says: str
) -> None:
    told = await judged_modules(tmp_path, *GO_AFTER, **changed)
    assert [one.rule for one in told.refusals] == ["lock"]
    assert told.refusals[0].says.startswith(says)
