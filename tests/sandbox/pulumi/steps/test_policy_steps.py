"""A commit with policy packs on its way through the steps: what is found, what people read, what is not applied."""

import json

import pytest
from pydantic import JsonValue

from activities.pulumi.contracts import SaidDone, StackPreviewed
from connectors.errors import Conflict, InvalidRequest
from connectors.pulumi.outcome import Ended
from hitl.approval.plan import read_plan
from sandbox.errors import SpecRefused
from tests.sandbox.pulumi.conftest import ONE_LOOP
from tests.sandbox.pulumi.steps.conftest import SHOP, Shop
from tests.sandbox.pulumi.test_policies import HOUSE, one

pytestmark = [pytest.mark.docker, pytest.mark.timeout(300), ONE_LOOP]

PACK = "runtime: {name: python, options: {virtualenv: venv}}\nversion: 1.2.3\ndescription: Of the house.\n"
FILES = {
    "policies/house/PulumiPolicy.yaml": PACK,
    "policies/house/__main__.py": HOUSE,
    "policies/house/requirements.txt": "pulumi>=3,<4\npulumi-policy>=1.3,<2\n",
    "policies/house/notes/PulumiPolicy.yaml": "runtime: nodejs\n",
    "policies/__init__.py": "",
    "requirements.txt": "pulumi>=3\npulumi_policy>=1\n",
}
NAMELESS = SHOP.replace('config.get("comment") or "first"', '""')


def with_prepared(previewed: StackPreviewed, prepared: str) -> str:
    assert previewed.plan is not None
    plan = read_plan(previewed.plan)
    changed: dict[str, JsonValue] = {**plan.parameters, "prepared": prepared}
    return plan.model_copy(update={"parameters": changed}).text()


async def test_a_commits_packs_are_found_and_what_they_warn_of_is_in_the_plan(shop: Shop) -> None:
    prepared = await shop.prepare(NAMELESS, **FILES)
    kept = json.loads(await shop.text(prepared.prepared))
    assert kept["policies"] == [{"folder": "policies/house", "version": "1.2.3", "config": {}}]
    assert kept["libraries"] is None
    previewed = await shop.planned(NAMELESS, **FILES)
    assert previewed.plan is not None
    assert "Policy packs: house 1.2.3; 1 warnings" in previewed.lines
    warned = "policy documented (advisory): Databases have a comment."
    assert any(line.startswith(warned) for line in previewed.lines), previewed.lines
    assert any(warned in line for line in read_plan(previewed.plan).summary)
    assert '"policy":"documented"' in await shop.text(previewed.whole_plan)
    changed = await shop.update(previewed)
    assert changed.outcome.ended is Ended.APPLIED, changed


async def test_a_mandatory_violation_is_one_clear_error_and_no_plan(shop: Shop) -> None:
    await shop.prepare(SHOP, **FILES, **{"policies/house/policy-config.json": '{"named": {"longest": 3}}'})
    with pytest.raises(InvalidRequest) as refused:
        await shop.preview()
    said = str(refused.value)
    assert "the preview of example/dev is no plan: the policy 'named' of 'house' refuses" in said
    assert "banksman:postgres:Database::shop'" in said
    assert "\n" not in said


async def test_a_pack_that_changed_after_the_approval_applies_nothing(shop: Shop) -> None:
    previewed = await shop.planned(NAMELESS, **FILES)
    lax = await shop.prepare(NAMELESS, **{**FILES, "policies/house/__main__.py": one("pass")})
    with pytest.raises(Conflict, match=r"no longer as approved: .*program"):
        await shop.run(shop.changes.update_stack, shop.granted(with_prepared(previewed, lax.prepared)))
    assert shop.databases == []


async def test_an_up_that_a_pack_refuses_says_so(shop: Shop) -> None:
    """The pack let the preview pass."""
    late = one('import os\nif os.environ["PULUMI_DRY_RUN"] == "false":\n    report("not after all")')
    await shop.prepare(SHOP, **{**FILES, "policies/house/__main__.py": late})
    previewed = await shop.preview()
    changed = await shop.update(previewed)
    assert changed.outcome.ended is Ended.REFUSED, changed
    said = SaidDone(whole_plan=previewed.whole_plan or "", exported=previewed.exported or "", refused=True)
    look = (await shop.look()).model_copy(update={"said_done": said})
    assert (await shop.run(shop.looks.read_outputs, look)).otherwise == 0, "what a look finds"
    assert any("the policy 'only' of 'one' refuses" in error for error in changed.outcome.errors), changed
    assert shop.databases == []


@pytest.mark.parametrize(
    ("more", "error", "words"),
    [
        (
            {"policies/house/PulumiPolicy.yaml": "runtime: nodejs\n"},
            SpecRefused,
            "the runtime 'nodejs' in 'policies/house/PulumiPolicy.yaml' cannot be run",
        ),
        (
            {"policies/PulumiPolicy.yaml": "runtime: opa\n"},
            SpecRefused,
            "the runtime 'opa' in 'policies/PulumiPolicy.yaml' cannot be run",
        ),
        (
            {"policies/our house/PulumiPolicy.yaml": PACK},
            SpecRefused,
            "'policies/our house/PulumiPolicy.yaml' cannot be used: rename its folder",
        ),
        (
            {"policies/house/policy-config.json": '{"all": "remediate"}'},
            SpecRefused,
            "the level 'remediate' of 'all' in 'policies/house/policy-config.json'",
        ),
        (
            {"policies/house/requirements.txt": "left-pad==1\n"},
            InvalidRequest,
            "the policy pack 'policies/house' needs the package 'left-pad==1'",
        ),
        (
            {f"policies/p{number}/PulumiPolicy.yaml": PACK for number in range(9)},
            InvalidRequest,
            "10 policy packs, and 8 is the most",
        ),
    ],
)
async def test_a_pack_that_cannot_be_run_is_refused_by_name(
    shop: Shop, more: dict[str, str], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        await shop.prepare(SHOP, **{**FILES, **more})
