"""The steps that look whether a service is healthy, as Temporal runs them."""

import json
from collections.abc import Iterator

import pytest

from activities.step import step_of
from activities.verify.contracts import CHECK_PAGE, QUERY_METRIC, CheckPageRequest, MetricSeen, QueryMetricRequest
from activities.verify.looking import VerifyActivities
from activities.verify.played import PlayedVerifyActivities
from connectors.errors import InvalidRequest
from connectors.probes.hosts import Hosts
from connectors.probes.pages import Pages
from connectors.probes.prometheus import Prometheus
from hitl.protocol import Effect
from tests.activities.github.at_work import at_work
from tests.connectors.probes.pages import Service, serving


@pytest.fixture
def service() -> Iterator[Service]:
    with serving(Service()) as found:
        yield found


def steps(service: Service, *, prometheus: bool = False) -> VerifyActivities:
    at = f"127.0.0.1:{service.port}"
    return VerifyActivities(Pages(Hosts((at,))), Prometheus(f"http://{at}") if prometheus else None)


async def test_each_attempt_asks_once_and_tells_what_it_found(service: Service) -> None:
    request = CheckPageRequest(url=f"http://127.0.0.1:{service.port}/healthz", contains="well", timeout_seconds=5)
    for attempt in (1, 2):
        found = await at_work(CHECK_PAGE.name, attempt=attempt).run(steps(service).check_page, request)
        assert (found.healthy, found.why, found.status) == (True, "", 200)
        assert found.milliseconds >= 0
    service.status = 500
    sick = await at_work(CHECK_PAGE.name).run(steps(service).check_page, request)
    assert (sick.healthy, sick.status) == (False, 500)
    assert len(service.asked) == 3


async def test_a_host_that_the_deployment_does_not_list_is_no_result(service: Service) -> None:
    request = CheckPageRequest(url=f"http://localhost:{service.port}/healthz")
    with pytest.raises(InvalidRequest, match="BANKSMAN_VERIFY_HOSTS"):
        await at_work(CHECK_PAGE.name).run(steps(service).check_page, request)
    assert service.asked == []


async def test_a_number_is_asked_for_where_the_deployment_has_a_prometheus(service: Service) -> None:
    data = {"resultType": "scalar", "result": [1, "0.5"]}
    service.body = json.dumps({"status": "success", "data": data}).encode()
    request = QueryMetricRequest(expression="vector(0.5)")
    seen = await at_work(QUERY_METRIC.name).run(steps(service, prometheus=True).query_metric, request)
    assert seen == MetricSeen(value=0.5)
    with pytest.raises(InvalidRequest, match="has no Prometheus"):
        await at_work(QUERY_METRIC.name).run(steps(service).query_metric, request)


@pytest.mark.parametrize(
    ("url", "resource"),
    [
        ("https://shop.example.com/healthz?x=1", "shop.example.com"),
        ("http://127.0.0.1:8340/shop", "127.0.0.1:8340"),
        ("http://user:canary@shop.example.com/", "shop.example.com"),
        ("nothing", None),
        ("http://[", None),
    ],
)
def test_policies_may_match_the_host(url: str, resource: str | None) -> None:
    assert CheckPageRequest(url=url).policy_context().resource == resource


def test_they_only_read_and_have_no_credential() -> None:
    assert step_of(VerifyActivities.check_page) is CHECK_PAGE
    assert step_of(VerifyActivities.query_metric) is QUERY_METRIC
    assert {one.effect for one in (CHECK_PAGE, QUERY_METRIC)} == {Effect.READ}
    assert {one.credential for one in (CHECK_PAGE, QUERY_METRIC)} == {None}


async def test_in_a_rehearsal_nobody_is_asked_and_the_answer_says_so(service: Service) -> None:
    service.status = 500
    played = PlayedVerifyActivities()
    page = CheckPageRequest(url=f"http://127.0.0.1:{service.port}/healthz")
    checked = await at_work(CHECK_PAGE.name).run(played.check_page, page)
    assert (checked.healthy, checked.played, checked.status) == (True, True, None)
    seen = await at_work(QUERY_METRIC.name).run(played.query_metric, QueryMetricRequest(expression="up"))
    assert seen == MetricSeen(value=None, played=True)
    assert service.asked == []
    looked = await at_work(CHECK_PAGE.name).run(steps(service).check_page, page)
    assert (looked.healthy, looked.played) == (False, False)
