"""The steps on log lines and numbers, as Temporal runs them."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from activities.step import implemented, step_of
from activities.telemetry.contracts import QUERY_METRICS, SEARCH_LOGS, QueryMetricsRequest, SearchLogsRequest
from activities.telemetry.looking import TelemetryActivities
from connectors.artifacts import ArtifactStore
from connectors.errors import InvalidRequest
from connectors.telemetry.loki import Loki
from connectors.telemetry.prometheus import PrometheusRange
from hitl.protocol import Effect
from tests.activities.github.at_work import at_work
from tests.connectors.probes.pages import Service, serving

SECRET = "ghp_" + "a1B2" * 9


@pytest.fixture
def service() -> Iterator[Service]:
    with serving(Service(headers={"content-type": "application/json"})) as found:
        yield found


def says(service: Service, kind: str, result: object) -> None:
    service.body = json.dumps({"status": "success", "data": {"resultType": kind, "result": result}}).encode()


def steps_of(service: Service, artifacts: ArtifactStore) -> TelemetryActivities:
    at = f"http://127.0.0.1:{service.port}"
    return TelemetryActivities(artifacts, loki=Loki(at), prometheus=PrometheusRange(at))


async def test_lines_are_kept_each_on_one_line_without_secrets(service: Service, tmp_path: Path) -> None:
    says(
        service,
        "streams",
        [{"stream": {"service_name": "shop"}, "values": [["1764475200000000000", f"a\nb {SECRET}"]]}],
    )
    artifacts = ArtifactStore(str(tmp_path))
    found = await at_work(SEARCH_LOGS.name).run(steps_of(service, artifacts).search_logs, SearchLogsRequest())
    text = (await artifacts.get(found.artifact)).decode()
    assert (found.found, text.count("\n"), SECRET in text) == (1, 0, False)
    assert text.startswith("2025-11-30T04:00:00.000000Z shop a")


async def test_nothing_is_said_as_nothing_and_series_are_counted(service: Service, tmp_path: Path) -> None:
    artifacts = ArtifactStore(str(tmp_path))
    steps, request = steps_of(service, artifacts), QueryMetricsRequest(expression="up")
    says(service, "matrix", [])
    none = await at_work(QUERY_METRICS.name).run(steps.query_metrics, request)
    assert (none.found, await artifacts.get(none.artifact)) == (0, b"nothing was found")
    says(service, "matrix", [{"metric": {"n": str(one)}, "values": [[1764475200, "1"]]} for one in range(25)])
    many = await at_work(QUERY_METRICS.name).run(steps.query_metrics, request)
    lines = (await artifacts.get(many.artifact)).decode().splitlines()
    assert (many.found, len(lines), lines[0], lines[-1]) == (25, 21, "{n=0} 30-04:00=1", "and 5 more series")


async def test_without_a_store_it_is_told_how_to_name_one(tmp_path: Path) -> None:
    steps = TelemetryActivities(ArtifactStore(str(tmp_path)), loki=None, prometheus=None)
    with pytest.raises(InvalidRequest, match="BANKSMAN_TELEMETRY_LOKI"):
        await at_work(SEARCH_LOGS.name).run(steps.search_logs, SearchLogsRequest())
    with pytest.raises(InvalidRequest, match="BANKSMAN_TELEMETRY_PROMETHEUS"):
        await at_work(QUERY_METRICS.name).run(steps.query_metrics, QueryMetricsRequest(expression="up"))
    found = [step_of(one) for one in implemented(steps)]
    assert {one.effect for one in found if one is not None} == {Effect.READ}
