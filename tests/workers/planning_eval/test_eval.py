"""`banksman eval` on the real server, by guarded steps, over a model's wire: what it counts, keeps and refuses."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client

from activities.queues import TaskQueue
from connectors.models.twin.faults import ContextTooLong
from tests.connectors.models.twin.small_running import small_server
from tests.workers.planning_eval.evaluated import Deployed
from tests.workflows.agent.planning.playing import MODELS, SENTENCES, good, guessing, planned, playing
from workers.planning_eval.sentences import Guess, Sentence, spread

pytestmark = pytest.mark.asyncio(loop_scope="session")

STACK = "Tear down the stack dev of acme/infra."
UP = Guess(goal="PreviewAndUp", inputs={"repository": "acme/infra", "stack": "dev"})


def misled(one: Sentence) -> Any:
    """Brings a stack up that was to be torn down."""
    return planned(UP) if one.ask == STACK else good(one)


async def test_a_good_planner_is_right_in_all_and_each_request_is_the_guarded_step(
    client: Client, tmp_path: Path
) -> None:
    with playing(good) as models:
        house = Deployed(client, tmp_path, models)
        async with house.workers():
            code, told = await house.evaluate("--at-once", "8")
    assert code == 0, told
    kept = house.kept()
    figures = kept["figures"]
    assert kept["finished"]
    assert (figures["right"], figures["exact"], figures["held_back"]) == (len(SENTENCES), figures["plans"], 26)
    assert (figures["wrong_destructive"], figures["mistakes"], figures["corrected"]) == (0, {}, 0)
    assert f"right: {len(SENTENCES)} of {len(SENTENCES)}" in told
    log = house.requests()
    assert len(log) == figures["requests"] == len(SENTENCES)
    assert [one["model"]["instructions"] for one in log] == figures["prompts"] * len(log)
    assert figures["cost_usd"] == pytest.approx(sum(one["model"]["cost_micros"] for one in log) / 1e6)
    assert figures["input_tokens"] == sum(one["model"]["tokens"]["input"] for one in log)


async def test_a_wrong_plan_that_destroys_is_counted_and_is_the_exit_code(client: Client, tmp_path: Path) -> None:
    number = next(one for one, sentence in enumerate(SENTENCES) if sentence.ask == STACK)
    count = next(one for one in range(2, len(SENTENCES)) if number in spread(SENTENCES, one))
    with playing(misled) as models:
        house = Deployed(client, tmp_path, models)
        async with house.workers():
            code, told = await house.evaluate("--limit", str(count))
    [wrong] = [one for one in house.kept()["report"]["outcomes"] if one["wrong_destructive"]]
    assert (code, wrong["ask"], wrong["verdict"], wrong["goals"]) == (1, STACK, "other goals", ["PreviewAndUp"])
    assert "wrong plans that destroy: 1" in told
    assert "## Wrong plans that destroy" in house.report.with_suffix(".md").read_text()


async def test_guesses_are_given_back_and_counted_by_their_kind(client: Client, tmp_path: Path) -> None:
    with playing(guessing) as models:
        house = Deployed(client, tmp_path, models)
        async with house.workers():
            code, _ = await house.evaluate("--limit", "9", "--corrections", "0")
    figures = house.kept()["figures"]
    assert code == 0  # none of them got through
    assert figures["asked"] == 9
    assert figures["verdicts"]["mistakes"] == sum(
        one["verdict"] == "mistakes" for one in house.kept()["report"]["outcomes"]
    )
    assert figures["mistakes"]["made-up name"] >= figures["verdicts"]["mistakes"] > 0


async def test_what_is_done_is_kept_and_gone_on_with(client: Client, tmp_path: Path) -> None:
    with playing(good) as models:
        house = Deployed(client, tmp_path, models)
        async with house.workers():
            code, told = await house.evaluate("--limit", "6", "--most-usd", "0.00001")
            assert (code, house.kept()["finished"], house.kept()["figures"]["asked"]) == (1, False, 1), told
            assert "are spent" in told
            assert "not finished" in house.report.with_suffix(".md").read_text()
            code, told = await house.evaluate("--limit", "6")
    assert (code, house.kept()["finished"], len(house.requests())) == (0, True, 6)
    assert "Goes on: 5 of 6 sentences are left" in told


async def test_a_model_that_does_not_answer_is_not_asked_all_of_it_and_again_later(
    client: Client, tmp_path: Path
) -> None:
    third = spread(SENTENCES, 20)[2]

    def gone(one: Sentence) -> Any:
        return good(one) if SENTENCES.index(one) <= third else ContextTooLong(kind="context_too_long")

    with playing(gone) as models:
        house = Deployed(client, tmp_path, models)
        async with house.workers():
            code, told = await house.evaluate("--limit", "20")
    assert code == 1
    assert (
        "5 sentences one after the other had no answer; the last: twin/scripted: what it is told does not fit" in told
    )
    assert house.kept()["figures"]["verdicts"] == {"exact": 3, "no answer": 5}
    with playing(good) as models:
        house = Deployed(client, tmp_path, models)
        async with house.workers():
            code, _ = await house.evaluate("--limit", "20")
    figures = house.kept()["figures"]
    assert (code, figures["asked"], figures["right"]) == (0, 20, 20)


async def test_a_report_of_something_else_is_not_gone_on_with(client: Client, tmp_path: Path) -> None:
    with playing(good) as models:
        house = Deployed(client, tmp_path, models)
        async with house.workers():
            await house.evaluate("--limit", "1")
            before = house.report.read_text()
            for more, why in (("1", "is finished"), ("2", "its asked differ")):
                code, told = await house.evaluate("--limit", more)
                assert (code, why in told, "--out" in told) == (2, True, True)
    assert house.report.read_text() == before


async def test_a_model_that_the_file_does_not_name_is_told_with_those_that_there_are(
    client: Client, tmp_path: Path
) -> None:
    with playing(good) as models:
        house = Deployed(client, tmp_path, models)
        code, told = await house.evaluate(backend="twin/other")
    assert (code, "there are: twin/scripted" in told) == (2, True)


@pytest.fixture(scope="module")
def small() -> Iterator[str]:
    with small_server() as url:
        yield url


@pytest.mark.slow
async def test_a_real_small_model_fails_safely(client: Client, tmp_path: Path, small: str) -> None:
    """It takes fewer tokens than a planner is told: it answers nothing, it is said why, and nothing is planned."""
    models = MODELS.replace("URL/openai", small).replace("kind: openai,", "kind: openai, key: none,")
    house = Deployed(client, tmp_path, models)
    async with house.workers():
        code, told = await house.evaluate("--limit", "1")
    [outcome] = house.kept()["report"]["outcomes"]
    assert (code, outcome["verdict"], outcome["plan"], outcome["goals"]) == (0, "no answer", None, []), told
    assert "does not fit into its context" in outcome["answer"]


async def test_nobody_waits_for_a_worker_that_does_not_run(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unserved(_: Client, queue: str) -> bool:
        return queue != TaskQueue.MODELS

    monkeypatch.setattr("workers.commands.evaluating.is_served", unserved)
    with playing(good) as models:
        code, told = await Deployed(client, tmp_path, models).evaluate()
    assert (code, "nobody serves the queue 'banksman-models'" in told) == (5, True)
