"""The balancer and the line of the bench of jobs: what they do to a delivery, and that they do it to it once."""

import asyncio
import json
from collections import Counter
from dataclasses import dataclass, field

import httpx
import pytest

from bench import jobs_wire
from bench.jobs_wire import MISHAPS, Balancer, Line, Mishap
from hitl.github.events import WEBHOOKS

FIRST, SECOND = "http://first", "http://second"


@dataclass
class Gateways:
    """Two that answer so; 0 is one that is away."""

    statuses: dict[str, int]
    asked: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append((request.url.host, request.headers["X-GitHub-Delivery"]))
        status = self.statuses[request.url.host]
        if not status:
            raise httpx.ConnectError("away")
        return httpx.Response(status)

    def balancer(self) -> Balancer:
        return Balancer(httpx.AsyncClient(transport=httpx.MockTransport(self.answer)), (FIRST, SECOND))


@pytest.mark.parametrize(
    ("first", "second", "status", "tries"),
    [
        (202, 202, 202, 1),
        (0, 202, 202, 2),
        (503, 202, 202, 2),
        (401, 202, 401, 1),
        (503, 0, 0, 2),
        (0, 503, 503, 2),
    ],
)
async def test_the_other_gateway_is_asked_once_where_the_first_is_of_no_use(
    first: int, second: int, status: int, tries: int
) -> None:
    answer = await Gateways({"first": first, "second": second}).balancer().pass_on(b"{}", {"X-GitHub-Delivery": "a"})
    assert (answer.status, answer.tries, answer.taken) == (status, tries, status == 202)


async def test_gateways_are_asked_in_turn() -> None:
    gateways = Gateways({"first": 202, "second": 202})
    balancer = gateways.balancer()
    for guid in "abcd":
        await balancer.pass_on(b"{}", {"X-GitHub-Delivery": guid})
    assert gateways.asked == [("first", "a"), ("second", "b"), ("first", "c"), ("second", "d")]


async def delivered(line: Line, guid: str, *, by: str = "User") -> int:
    """As the twin sends it; what it is answered."""
    told = {"action": "created", "comment": {"id": ord(guid)}, "sender": {"type": by}}
    headers = {"X-GitHub-Delivery": guid, "X-GitHub-Event": "issue_comment", "Content-Type": "application/json"}
    transport = httpx.ASGITransport(line.app())
    async with httpx.AsyncClient(transport=transport, base_url="http://line") as github:
        return (await github.post(WEBHOOKS, content=json.dumps(told), headers=headers)).status_code


async def test_a_bad_line_does_each_thing_once_and_to_no_delivery_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs_wire, "LATE", 0.0)
    gateways = Gateways({"first": 202, "second": 202})
    line = Line(gateways.balancer(), bad=True)
    guids = "abcdefghijkl"
    statuses = await asyncio.gather(*(delivered(line, one) for one in guids))
    arrived = Counter(guid for _, guid in gateways.asked)
    assert line.met == Counter(MISHAPS)
    assert statuses.count(502) == line.met[Mishap.LOST] + line.met[Mishap.ANSWER_LOST] == 2
    assert sorted(Counter(arrived[one] for one in guids).items()) == [(0, 1), (1, 9), (2, 2)]
    [lost] = [one for one in guids if not arrived[one]]
    assert await delivered(line, lost) == 202, "what GitHub sends again arrives"
    assert gateways.asked[-1][1] == lost


async def test_it_knows_of_which_comment_a_persons_delivery_tells_and_swallows_what_nobody_is_told() -> None:
    gateways = Gateways({"first": 202, "second": 202})
    line = Line(gateways.balancer())
    await delivered(line, "a")
    await delivered(line, "b", by="Bot")
    line.closed = True
    assert await delivered(line, "c") == 202
    assert (line.comments, len(gateways.asked), len(line.answers)) == ({ord("a"): {"a"}}, 2, 2)
