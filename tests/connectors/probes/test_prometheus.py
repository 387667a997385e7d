"""What is made of Prometheus's answers, each as its documentation has it."""

import json
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest

from connectors.errors import InvalidRequest, MalformedAnswer, Unavailable
from connectors.probes.prometheus import Prometheus
from tests.connectors.probes.pages import Service, serving


@pytest.fixture
def service() -> Iterator[Service]:
    with serving(Service()) as found:
        yield found


def says(service: Service, kind: str, result: object, status: str = "success") -> None:
    service.body = json.dumps({"status": status, "data": {"resultType": kind, "result": result}}).encode()


async def query(service: Service) -> tuple[float | None, str]:
    return await Prometheus(f"http://127.0.0.1:{service.port}/").query("sum(up)", seconds=5)


async def test_one_number_is_that_number(service: Service) -> None:
    says(service, "vector", [{"metric": {"job": "shop"}, "value": [1.5, "0.25"]}])
    assert await query(service) == (0.25, "")
    says(service, "scalar", [1.5, "-3"])
    assert await query(service) == (-3, "")
    (path, headers), _ = service.asked
    asked = urlsplit(path)
    assert (asked.path, parse_qs(asked.query)) == ("/api/v1/query", {"query": ["sum(up)"], "timeout": ["5s"]})
    assert "authorization" not in headers


@pytest.mark.parametrize(
    ("kind", "result", "why"),
    [
        ("vector", [], "gives no numbers"),
        ("vector", [{"value": [1, "1"]}, {"value": [1, "2"]}], "gives 2 numbers"),
        ("vector", [{"value": [1, "NaN"]}], "gives nan"),
        ("vector", [{"value": [1, "+Inf"]}], "gives inf"),
        ("vector", [{"value": [1, "much"]}], "no number"),
        ("matrix", [{"values": [[1, "1"]]}], "gives a matrix"),
        ("string", [1, "x"], "gives a string"),
    ],
)
async def test_what_is_not_one_finite_number_is_none_and_says_why(
    service: Service, kind: str, result: object, why: str
) -> None:
    says(service, kind, result)
    value, said = await query(service)
    assert value is None
    assert why in said


async def test_an_expression_that_is_none_is_told_with_prometheus_words(service: Service) -> None:
    service.status = 400
    service.body = json.dumps(
        {"status": "error", "errorType": "bad_data", "error": "parse error: unexpected )"}
    ).encode()
    with pytest.raises(InvalidRequest, match="unexpected"):
        await query(service)


async def test_one_that_gives_too_much_is_refused_before_it_is_read(service: Service) -> None:
    service.body = b" " * 10_000_000
    with pytest.raises(InvalidRequest, match="too many numbers"):
        await query(service)


async def test_a_broken_prometheus_is_tried_again(service: Service) -> None:
    service.body = b"<html>"
    with pytest.raises(MalformedAnswer):
        await query(service)
    service.status = 503
    with pytest.raises(Unavailable, match="503"):
        await query(service)
    with pytest.raises(Unavailable, match="cannot be asked"):
        await Prometheus("http://127.0.0.1:1").query("1", seconds=2)
