"""What is made of Loki's and Prometheus's answers, each as its documentation has it, and of other ones."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import pytest

from connectors.errors import ConnectorError, InvalidRequest, MalformedAnswer, Unavailable
from connectors.telemetry.loki import LogQuestion, Loki
from connectors.telemetry.prometheus import PrometheusRange
from tests.connectors.probes.pages import Service, serving

NOW = datetime(2026, 11, 30, 4, 0, tzinfo=UTC)
JSON = {"content-type": "application/json; charset=UTF-8"}


@pytest.fixture
def service() -> Iterator[Service]:
    with serving(Service(headers=dict(JSON))) as found:
        yield found


def says(service: Service, kind: str, result: object) -> None:
    service.body = json.dumps({"status": "success", "data": {"resultType": kind, "result": result}}).encode()


async def lines(service: Service, contains: str = "", *, most: int = 50) -> list[str]:
    wanted = LogQuestion(contains=contains, service="", goal="", minutes=60, most=most)
    return [one.line for one in await Loki(f"http://127.0.0.1:{service.port}/").lines(wanted, now=NOW)]


def asked(service: Service) -> dict[str, str]:
    path, headers = service.asked[-1]
    assert "authorization" not in headers
    return {name: value for name, (value,) in parse_qs(urlsplit(path).query).items()}


async def test_lines_are_in_their_order_and_the_newest_of_them(service: Service) -> None:
    says(
        service,
        "streams",
        [
            {"stream": {"service_name": "a"}, "values": [["1764475200000003000", "third"]]},
            {"stream": {}, "values": [["1764475200000002000", "second"], ["1764475100000001000", "first"]]},
        ],
    )
    assert await lines(service) == ["first", "second", "third"]
    assert await lines(service, most=2) == ["second", "third"]
    sent = asked(service)
    assert (sent["limit"], sent["direction"], int(sent["end"]) - int(sent["start"])) == ("2", "backward", 3600 * 10**9)


@pytest.mark.parametrize(
    "words", ['" or {a="b"} |= "', "`", "\\", '"}', "a\nb", "ä\u202e", '" | line_format "{{.secret}}']
)
def test_words_stay_words_whatever_they_are(words: str) -> None:
    asked_for = LogQuestion(contains=words, service=words, goal=words, minutes=1, most=1).logql()
    literal = json.dumps(words)
    assert asked_for == f"{{service_name={literal}}} |= {literal} |= {literal}"
    assert "\n" not in asked_for


async def test_numbers_are_few_points_of_each_series(service: Service) -> None:
    says(service, "matrix", [{"metric": {"job": "shop"}, "values": [[1764475200, "0.5"], [1764475260.5, "NaN"]]}])
    [found] = await PrometheusRange(f"http://127.0.0.1:{service.port}").numbers("sum(up)", minutes=1440, now=NOW)
    assert (found.labels, [str(value) for _, value in found.points]) == ({"job": "shop"}, ["0.5", "nan"])
    assert (asked(service)["query"], asked(service)["step"]) == ("sum(up)", "2880")


@pytest.mark.parametrize(
    ("status", "body", "headers", "error", "told"),
    [
        (400, b"parse error at line 1", {}, InvalidRequest, "refuses the question: parse error at line 1"),
        (422, b'{"status": "error", "error": "too many"}', JSON, InvalidRequest, "refuses the question: too many"),
        (503, b"", {}, Unavailable, "answers 503"),
        (200, b"<html>sign in</html>", {"content-type": "text/html"}, MalformedAnswer, "answers no JSON"),
        (200, b"{", JSON, MalformedAnswer, "makes no sense"),
        (200, b'{"status": "success", "data": {"resultType": "scalar", "result": []}}', JSON, MalformedAnswer, "sense"),
        (200, b" " * (3 * 1024 * 1024), JSON, InvalidRequest, "ask for less at once"),
    ],
)
async def test_other_answers_are_errors_of_the_tree(
    service: Service, status: int, body: bytes, headers: dict[str, str], error: type[ConnectorError], told: str
) -> None:
    service.status, service.body, service.headers = status, body, headers
    with pytest.raises(error, match=told):
        await lines(service)
    with pytest.raises(error, match=told):
        await PrometheusRange(f"http://127.0.0.1:{service.port}").numbers("up", minutes=1, now=NOW)


@pytest.mark.parametrize("at", ["soon", "9" * 40])
async def test_a_time_that_is_none_makes_no_sense(service: Service, at: str) -> None:
    says(service, "streams", [{"stream": {}, "values": [[at, "x"]]}])
    with pytest.raises(MalformedAnswer):
        await lines(service)


async def test_one_that_is_not_there_is_unavailable() -> None:
    with pytest.raises(Unavailable, match="Prometheus cannot be asked"):
        await PrometheusRange("http://127.0.0.1:1").numbers("up", minutes=1, now=NOW)
