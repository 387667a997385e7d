"""The gateway collects what the others wrote and signs it with Vault's own key: checked with the public half alone."""

from pathlib import Path

import pytest

from activities.guard.audit_checkpoint import AUDIT_KEY
from activities.guard.audit_export import export_lines, read_export, verify_export
from hitl.approval.signing import public_key
from tests.hitl.gateway.running import Place, eventually

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_an_approved_step_is_in_an_export_that_vaults_key_verifies(one: Place, tmp_path: Path) -> None:
    others = one.house.folder
    async with one.running(audit_of_others=others) as gateway:
        goal, _, message = await one.asked(gateway)
        await one.click("alice", message)
        assert (await goal.result()).outcome == "completed"
        collected = one.folder / "audit" / "collected"

        async def signed() -> bool:
            return (collected / "checkpoints.jsonl").exists()

        await eventually(signed)
    made = await one.made(audit_of_others=others)  # the next gateway goes on
    made.audit.collect()
    await made.audit.checkpoint()
    made.audit.close()
    path = tmp_path / "export"
    path.write_text("\n".join(export_lines(collected, at="2026-11-29T12:00:00+00:00")) + "\n")
    keys = {version: public_key(raw) for version, raw in (await one.vault.public_keys(AUDIT_KEY)).items()}
    export = read_export(path)
    report = verify_export(export, keys)
    assert (report.problems, report.unsigned) == ([], {"audit": 0, "gateway": 0})
    before, after = [one for one in export.records() if one.action == "github.delete_branch"]
    assert before.approval is not None
    assert [decided.person for decided in before.approval.decisions] == ["alice"]
    assert (after.event, after.way) == ("finished", "completed")
