"""The embedded environment's servers read the shipped files, and nothing of them is left out."""

import json
import re
from pathlib import Path

import pytest
import yaml

from deploy.local.processes.ports import Ports
from deploy.local.telemetry.configured import (
    SHIPPED,
    Places,
    collector_override,
    jaeger_configuration,
    prometheus_configuration,
)
from deploy.local.telemetry.programs import builder_configuration


@pytest.fixture
def places() -> Places:
    ports = Ports()
    chosen = Places.choose(ports)
    ports.release()
    return chosen


def test_every_job_and_rule_that_is_shipped_is_there_at_addresses_of_this_machine(places: Places) -> None:
    shipped = yaml.safe_load((SHIPPED / "prometheus/prometheus.yml").read_text())
    made = json.loads(prometheus_configuration(places, {"goals": 9400, "gateway": 9404}))
    assert [one["job_name"] for one in made["scrape_configs"]] == [one["job_name"] for one in shipped["scrape_configs"]]
    assert [Path(one).name for one in made["rule_files"]] == [Path(one).name for one in shipped["rule_files"]]
    assert all(Path(one).is_file() for one in made["rule_files"])
    targets = [target for job in made["scrape_configs"] for one in job["static_configs"] for target in one["targets"]]
    assert len(targets) == len(set(targets)) == 6
    assert all(re.fullmatch(r"127\.0\.0\.1:\d+", target) for target in targets)
    assert "alerting" not in made, "nobody is written to"


def test_the_collector_listens_on_this_machine_alone_and_keeps_its_pipelines(places: Places) -> None:
    shipped = yaml.safe_load((SHIPPED / "collector/collector.yml").read_text())
    changed = json.loads(collector_override(places, traces=8318))
    for kind in ("receivers", "extensions"):
        assert changed[kind].keys() <= shipped[kind].keys(), "an override of what is not shipped overrides nothing"
    assert changed["exporters"].keys() == {*shipped["exporters"], "otlphttp/jaeger"}
    assert "0.0.0.0" not in json.dumps(changed)  # noqa: S104 - that is the point
    assert "processors" not in changed
    traces = shipped["service"]["pipelines"]["traces"]["exporters"]
    assert changed["service"]["pipelines"] == {
        "logs": {"receivers": ["otlp"]},
        "traces": {"exporters": [*traces, "otlphttp/jaeger"]},
    }


def test_jaeger_gets_what_the_collector_sends_it_and_listens_on_this_machine_alone(places: Places) -> None:
    text = jaeger_configuration(places, Path("kept"))
    made, sent = json.loads(text), json.loads(collector_override(places, traces=8318))
    receiving = made["receivers"]["otlp"]["protocols"]["http"]["endpoint"]
    assert sent["exporters"]["otlphttp/jaeger"]["endpoint"] == f"http://{receiving}"
    assert made["extensions"]["jaeger_query"]["http"]["endpoint"] == f"127.0.0.1:{places.jaeger}"
    assert set(re.findall(r'"endpoint": "([^"]+):\d+"', text)) == {"127.0.0.1"}


def test_the_collector_that_is_built_has_all_that_the_shipped_file_names() -> None:
    shipped = yaml.safe_load((SHIPPED / "collector/collector.yml").read_text())
    built = builder_configuration(Path("out"))
    for kind, ends in (("receivers", "receiver"), ("processors", "processor"), ("exporters", "exporter")):
        for name in shipped[kind]:
            plain = name.partition("/")[0].replace("_", "")
            assert f"/{plain}{ends} v" in built, name
    assert "/healthcheckextension v" in built
