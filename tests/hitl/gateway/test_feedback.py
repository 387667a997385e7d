"""`banksman feedback` and the report on what it kept, beside a gateway and the real server."""

import asyncio
import json
import os
import subprocess
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from temporalio.client import Client

from activities.guard.opinion_facts import words_digest
from tests.hitl.gateway.judging import at_work, ended_goal, kept, shown
from tests.hitl.gateway.running import Place
from tests.stack import forked
from tests.stack.running import BIN
from workers.commands.exits import Exit
from workers.rollout.evidence import SaidOpinion
from workers.rollout.words import read_words
from workflows.opinions.contracts import opinions_on

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(180)]


async def banksman(client: Client, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """The command as a person types it, in a process of its own."""
    environment = {
        **os.environ,
        "BANKSMAN_TEMPORAL_ADDRESS": client.service_client.config.target_host,
        "BANKSMAN_TEMPORAL_NAMESPACE": client.namespace,
        "BANKSMAN_DEVELOPMENT": "true",
        "BANKSMAN_ENCRYPT_PAYLOADS": "false",
        "COLUMNS": "200",
    }
    run = partial(forked.run, environment=environment, seconds=50)
    return await asyncio.to_thread(run, BIN / "banksman", arguments)


async def test_where_temporal_knows_nobody_the_command_says_where_people_are_known(one: Place) -> None:
    async with at_work(one):
        goal, _ = await ended_goal(one)
        done = await banksman(one.client, "feedback", goal, "--wrong", "no")
    assert done.returncode == Exit.DENIED
    assert "nobody vouches for who says this" in done.stderr
    assert "say it in Slack or on the goal's page in the console" in done.stderr
    assert kept(one) == []


async def test_what_is_asked_wrongly_is_refused_before_anything_is_sent(one: Place) -> None:
    async with at_work(one) as gateway:
        goal, run = await ended_goal(one)
        for arguments, code, said in (
            ([goal], Exit.USAGE, "say either --useful or --wrong"),
            ([goal, "--useful", "--wrong"], Exit.USAGE, "say either --useful or --wrong"),
            ([goal, "--wrong", "x" * 501], Exit.USAGE, "at most 500 characters"),
            (["no/such/goal", "--useful"], Exit.FAILED, "there is no goal 'no/such/goal'"),
        ):
            done = await banksman(one.client, "feedback", *arguments)
            assert (done.returncode, said in done.stderr) == (code, True), done.stderr
        assert await gateway.opinions.on(run) == []
        query = f"WorkflowId STARTS_WITH '{opinions_on(run)}'"
        assert (await one.client.count_workflows(query)).count == 0


async def test_the_report_has_the_words_that_were_kept(one: Place, tmp_path: Path) -> None:
    async with at_work(one) as gateway:
        goal, run = await ended_goal(one)
        for person in ("ALICE", "BOB"):
            await gateway.opinions.give(
                identity=f"slack:U0{person}",
                surface="slack",
                goal=goal,
                goal_run=run,
                verdict="wrong",
                words=f"{person} saw **it**",
            )
        await shown(gateway, run, count=2)
        options = ("--environment", "live", "--policy", str(one.house.path), "--from", str(tmp_path / "audit"))
        told = json.loads((await banksman(one.client, "rollout", "report", *options, "--json")).stdout)
        whole = await banksman(one.client, "rollout", "report", *options)
    assert {said["person"]: said["words"] for said in told["opinions"]} == {
        "alice": "ALICE saw **it**",
        "bob": "BOB saw **it**",
    }
    assert told["audit_log"]["whole"]
    assert r"“ALICE saw \*\*it\*\*”" in whole.stdout


async def test_words_that_are_gone_or_are_others_than_were_kept_are_not_told(one: Place) -> None:
    async with at_work(one) as gateway:
        goal, run = await ended_goal(one)
        await gateway.opinions.give(
            identity="slack:U0ALICE", surface="slack", goal=goal, goal_run=run, verdict="wrong", words="no"
        )
        [facts] = kept(one)
        there = await one.client.get_workflow_handle(f"{opinions_on(run)}alice").describe()
        said = SaidOpinion(time=facts.said_at, facts=facts, kept_as=(there.id, there.run_id))
        others = replace(said, facts=facts.model_copy(update={"words": words_digest("yes")}))
        gone = replace(said, kept_as=(there.id, "01a22766-9817-7000-8000-000000000000"))
        assert await read_words(one.client, [said]) == {(run, "alice"): "no"}
        assert await read_words(one.client, [others]) == {}
        assert await read_words(one.client, [gone]) == {}
