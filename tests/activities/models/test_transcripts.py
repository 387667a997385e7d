"""What was said before: told again by a reference alone, sealed, one goal's own, and gone on its day."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from activities.models.whole import LEFT_OUT
from connectors.errors import Unavailable
from connectors.models.messages import MOST_LOADED, Message, Prompt, Text, ToolResult
from tests.activities.models.at_work import House, request
from tests.activities.played_vault import PlayedVault
from tests.connectors.models.compatible import refuses, says
from tests.connectors.models.deployed import FILE, asks
from workers.roles.models import swept

CANARY = "WORDS-THAT-NOBODY-ELSE-READS"
MEBIBYTE = 1024 * 1024


def result(number: int, *, reference: str | None = None, text: str = "") -> Prompt:
    """What a tool answered."""
    part = ToolResult(id=f"call-{number}", tool="look", text=text, reference=reference)
    return Prompt(messages=(Message(role="user", parts=(part,)),))


async def said(house: House, prompt: Prompt, before: str | None = None, **more: object) -> str:
    """One turn, in which the model asks for its tool; the reference of all so far."""
    house.server.answers.append(says(None, calls=[("look", "{}")], ended="tool_calls"))
    found = await house.ask(request(prompt, transcript=before, **more))
    assert found.transcript
    return found.transcript


async def refused(house: House, reference: str | None, **more: Any) -> ApplicationError:
    """Nobody was asked, and it is not tried again by itself."""
    asked = len(house.server.asked)
    with pytest.raises(ApplicationError) as caught:
        await house.ask(request(transcript=reference, **more))
    assert caught.value.non_retryable
    assert len(house.server.asked) == asked
    return caught.value


def unlimited(house: House) -> House:
    """The same without limits."""
    return House(house.folder, house.server, house.url, file=FILE[: FILE.index("limits:")])


def entries(house: House) -> list[Path]:
    return sorted((Path(house.artifacts.location) / "transcripts").rglob("*/*"))


async def test_a_turn_tells_all_that_was_said_before_and_carries_what_is_new(house: House) -> None:
    first = await said(house, asks("Is the lamp lit?"))
    second = await said(house, result(0, text="it glows"), first)
    house.server.answers.append(says("It is lit."))
    last = await house.ask(request(result(0, text="it shines"), transcript=second))
    told = [(one["role"], one.get("content")) for one in house.server.asked[-1]["messages"]]
    assert told == [
        ("user", "Is the lamp lit?"),
        ("assistant", None),
        ("tool", "it glows"),
        ("assistant", None),
        ("tool", "it shines"),
    ]
    assert last.transcript not in {None, first, second}
    assert house.vault.opened == 0, "the process that wrapped a key has it"


async def test_two_answers_to_one_turn_go_their_own_ways(house: House) -> None:
    first = await said(house, asks("one"))
    left, right = await said(house, asks("left"), first), await said(house, asks("right"), first)
    await said(house, asks("left again"), left)
    await said(house, asks("right again"), right)
    told = [[one.get("content") for one in asked["messages"]] for asked in house.server.asked[-2:]]
    assert told == [["one", None, "left", None, "left again"], ["one", None, "right", None, "right again"]]


async def test_another_worker_goes_on_where_one_died(house: House) -> None:
    first = await said(house, asks(CANARY))
    other = House(house.folder, house.server, house.url)
    other.vault.wrapped = house.vault.wrapped
    second = await said(other, asks("Go on"), first)
    await said(other, asks("and on"), second)
    assert other.vault.opened == 1, "one key for a conversation"
    assert house.server.asked[-1]["messages"][0]["content"] == CANARY


async def test_no_word_lies_in_the_open(house: House) -> None:
    house.server.answers.append(says(CANARY))
    await house.ask(request(asks(CANARY)))
    [entry] = entries(house)
    assert CANARY.encode() not in entry.read_bytes()
    assert "slack" not in entry.read_text(errors="replace")


@pytest.mark.parametrize(
    ("reference", "says_why"),
    [
        ("sha256:{artifact}", "is no transcript"),
        ("transcript:2026-12-30:{artifact}", "is not in the store"),
        ("transcript:2026-12-30:" + "0" * 64, "is not in the store"),
        ("transcript:2026-99-30:" + "0" * 64, "is no transcript"),
        ("transcript:2026-12-30:../../../etc/passwd", "is no transcript"),
        ("transcript:2027-01-30:{first}", "is not in the store"),
        ("", "is no transcript"),
    ],
)
async def test_what_is_no_transcript_is_refused(house: House, reference: str, says_why: str) -> None:
    first = await said(house, asks(CANARY))
    artifact = await house.artifacts.put(b"some words")
    wanted = reference.format(artifact=artifact.removeprefix("sha256:"), first=first.rpartition(":")[2])
    assert says_why in (await refused(house, wanted)).message


async def test_an_entry_that_was_moved_to_a_later_day_does_not_open(house: House) -> None:
    first = await said(house, asks(CANARY))
    [entry] = entries(house)
    later = entry.parent.parent / "2027-01-30" / entry.name
    later.parent.mkdir()
    later.write_bytes(entry.read_bytes())
    assert "does not open here" in (await refused(house, first.replace("2026-12-30", "2027-01-30"))).message


@pytest.mark.parametrize("where", [0, 30, -1])
async def test_an_entry_that_was_changed_is_refused(house: House, where: int) -> None:
    first = await said(house, asks(CANARY))
    second = await said(house, asks("Go on"), first)
    changed = next(one for one in entries(house) if one.name == first.rpartition(":")[2])
    content = bytearray(changed.read_bytes())
    content[where] ^= 1
    changed.write_bytes(bytes(content))
    error = await refused(house, second)
    assert error.type == "NotFound"
    assert second in error.message
    assert first in error.message
    assert "was changed there" in error.message


async def test_another_goals_another_environments_and_another_keys_transcript_do_not_open(house: House) -> None:
    first = await said(house, asks(CANARY))
    house.told = {"workflow_id": "another-goal"}
    assert "another goal's" in (await refused(house, first)).message
    house.told = {}
    other = House(house.folder, house.server, house.url)
    assert "the transit key 'transcripts'" in (await refused(other, first)).message
    for environment, keys in (("production", house.vault), ("local", PlayedVault())):
        with pytest.raises(Exception, match="does not open here"):
            await house.transcripts_of(keys, environment).read(first, "test")
    await said(house, asks("Go on"), first)


async def test_a_conversation_has_its_last_day_as_a_whole_and_is_swept_after_it(house: House) -> None:
    house = unlimited(house)
    first = await said(house, asks("Good morning"))
    house.now += timedelta(days=30)
    second = await said(house, asks("Good evening"), first)
    assert await house.transcripts.sweep() == 0
    another = await said(house, asks("Another"))
    house.now += timedelta(days=1)
    for reference in (first, second):
        error = await refused(house, reference)
        assert error.type == "NotFound"
        assert error.message.startswith(f"{reference!r} was kept until 2026-12-30")
        assert "begin the conversation again" in error.message
    assert await house.transcripts.sweep() == 2
    assert [one.name for one in entries(house)] == [another.rpartition(":")[2]]
    assert await house.transcripts.sweep() == 0
    await said(house, asks("Go on"), another)


async def test_the_worker_sweeps_at_its_start_and_goes_on_after_a_store_that_failed(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    await said(house, asks(CANARY))
    [entry] = entries(house)
    house.now += timedelta(days=31)
    failing, sweep, done = [Unavailable("the store is away")], house.transcripts.sweep, asyncio.Event()

    async def first_fails() -> int:
        if failing:
            raise failing.pop()
        gone = await sweep()
        done.set()
        return gone

    monkeypatch.setattr(house.transcripts, "sweep", first_fails)
    sweeping = asyncio.create_task(swept(house.transcripts, every=timedelta()))
    async with asyncio.timeout(20):
        await done.wait()
    assert not entry.exists()
    assert not sweeping.done()
    sweeping.cancel()


async def test_data_does_not_lose_its_labels_on_the_way(house: House) -> None:
    first = await said(house, asks(CANARY), labels=("public", "repository"))
    error = await refused(house, first, labels=("public",))
    assert "'repository'" in error.message
    second = await said(house, asks("Go on"), first, labels=("public", "repository"))
    assert "'repository'" in (await refused(house, second, labels=("public",))).message


async def test_what_is_not_to_be_kept_is_not(house: House) -> None:
    house.server.answers += [says(), refuses(400, code="context_length_exceeded")]
    assert (await house.ask(request(keep=False))).transcript is None
    assert (await house.ask(request())).transcript is None, "nothing was said"
    assert entries(house) == []


async def test_an_answer_is_had_though_it_cannot_be_kept(house: House) -> None:
    folder = Path(house.artifacts.location) / "transcripts"
    folder.parent.mkdir(exist_ok=True)
    folder.write_text("in the way")
    house.server.answers.append(says("It is lit."))
    found = await house.ask(request())
    assert (found.answer.parts, found.transcript) == ((Text(text="It is lit."),), None)


async def test_sixty_megabytes_of_results_pass_and_the_oldest_are_left_out(house: House) -> None:
    """Each turn tells a tool's result of 1.2 MB; what it cannot be told whole any more, it is told to be left out."""
    house = unlimited(house)
    reference, size = await said(house, asks("Look")), 0
    for number in range(50):
        text = f"{number:03}" + "x" * (6 * MEBIBYTE // 5)
        size += len(text)
        kept = await house.artifacts.put(text.encode())
        house.server.asked.clear()
        house.server.answers.append(says(None, calls=[("look", "{}")], ended="tool_calls"))
        found = await house.ask(request(result(0, reference=kept), transcript=reference))
        reference = found.transcript or ""
        results = [one["content"] for one in house.server.asked[0]["messages"] if one["role"] == "tool"]
        assert sum(map(len, results)) <= MOST_LOADED
        assert [one[:3] for one in results[-3:]] == [f"{one:03}" for one in range(max(0, number - 2), number + 1)]
        assert results.count(LEFT_OUT) == found.left_out == max(0, number - 2)
    assert size > 60_000_000
    assert sum(one.stat().st_size for one in entries(house)) < 100_000


async def test_a_chain_has_a_most(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("activities.models.transcripts.MOST_TURNS", 2)
    reference = None
    for _ in range(3):
        reference = await said(house, asks("Go on"), reference)
    assert "more than 2 turns" in (await refused(house, reference)).message
