"""docker-compose.yml is valid, and its networks, secrets and versions are what its comments promise."""

import asyncio
import json
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest
import yaml

from connectors.pulumi.files import read_file
from deploy.local.tools import DEFAULT_CACHE, Tool, ToolUnavailableError, resolve
from deploy.temporal import SETTINGS
from sandbox.egress.purposes import EgressSettings
from sandbox.pulumi.request import PostgresState
from workers.settings import Settings
from workers.stacks import StackEnvironment

if TYPE_CHECKING:
    from _pytest.terminal import TerminalReporter

_ROOT = Path(__file__).parents[3]
_WORKERS = {"worker-goals", "worker-connectors", "worker-sandbox", "worker-destructive", "worker-gateway"}
_SETUP = {"setup", "vault-setup", "sandbox-setup", "certificates"}
_OURS = {*_WORKERS, *_SETUP, "deliverer", "codec-server"}
_BY_HAND = {"BANKSMAN_DELIVERER_TOKEN_FILE", "BANKSMAN_DELIVERER_FOLDER"}
"""Read by `banksman deliverer` outside the settings of workers."""

Service = dict[str, object]


def _environment() -> dict[str, str]:
    lines = (_ROOT / ".env.example").read_text().splitlines()
    values = dict(line.split("=", 1) for line in lines if re.match(r"^[A-Z_]+=", line))
    return {name: value or "filled-in" for name, value in values.items()}


def _compose(
    command: tuple[str, ...], env_file: Path, *words: str, profiles: tuple[str, ...] = ("setup",)
) -> subprocess.CompletedProcess[str]:
    chosen = [word for profile in profiles for word in ("--profile", profile)]
    return subprocess.run(
        [*command, "--project-directory", _ROOT, "--env-file", env_file, *chosen, "config", *words],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={"PATH": "/usr/bin:/bin", "HOME": str(env_file.parent)},
    )


@pytest.fixture(scope="session")
def compose(pytestconfig: pytest.Config) -> tuple[str, ...]:
    """Docker Compose; built once into the cache where it is neither installed nor to be downloaded."""
    terminal = cast("TerminalReporter | None", pytestconfig.pluginmanager.getplugin("terminalreporter"))

    def tell(line: str) -> None:
        # Minutes without a word would look like a hang.
        if terminal is not None:
            terminal.write_line(f"» {line}")

    try:
        return asyncio.run(resolve(Tool.COMPOSE, progress=tell, cache=DEFAULT_CACHE)).command
    except ToolUnavailableError as reason:
        pytest.skip(f"docker compose cannot be had: {reason}")


@pytest.fixture(scope="session")
def stack(compose: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """What Compose makes of the files of this repository."""
    env_file = tmp_path_factory.mktemp("compose") / "env"
    env_file.write_text("".join(f"{name}={value}\n" for name, value in _environment().items()))
    done = _compose(compose, env_file, "--format", "json")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return cast("dict[str, object]", json.loads(done.stdout))


@pytest.fixture(scope="session")
def with_models(compose: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """The same with the profile of language models."""
    return _with_profile("models", compose, tmp_path_factory.mktemp("compose-models") / "env")


@pytest.fixture(scope="session")
def with_relay(compose: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """The same with the profile of models that machines serve."""
    return _with_profile("serving", compose, tmp_path_factory.mktemp("compose-serving") / "env")


def _with_profile(profile: str, compose: tuple[str, ...], env_file: Path) -> dict[str, object]:
    env_file.write_text("".join(f"{name}={value}\n" for name, value in _environment().items()))
    done = _compose(compose, env_file, "--format", "json", profiles=("setup", profile))
    assert done.returncode == 0, done.stderr
    return cast("dict[str, object]", json.loads(done.stdout))


def _services(stack: dict[str, object]) -> dict[str, Service]:
    return cast("dict[str, Service]", stack["services"])


# The first use may build Compose from source.
pytestmark = pytest.mark.timeout(1800)


@pytest.mark.parametrize("name", list(_environment()))
def test_what_must_be_filled_in_is_asked_for_by_name(compose: tuple[str, ...], tmp_path: Path, name: str) -> None:
    env_file = tmp_path / "env"
    env_file.write_text("".join(f"{n}={v}\n" for n, v in _environment().items() if n != name))

    done = _compose(compose, env_file, "--quiet")

    assert done.returncode != 0
    assert name in done.stderr
    assert ".env.example" in done.stderr


def test_only_connectors_reach_out(stack: dict[str, object]) -> None:
    networks = cast("dict[str, dict[str, object]]", stack["networks"])
    closed = {name for name, network in networks.items() if network.get("internal")}
    members = {
        network: {
            name
            for name, s in _services(stack).items()
            if network in cast("dict[str, object]", s.get("networks") or {})
        }
        for network in networks
    }

    assert networks.keys() - closed == {"egress", "sandbox-egress", "databases-egress", "alerts-egress", "front"}
    assert members["alerts-egress"] == {"alertmanager"}
    assert members["alerting"] == {"alertmanager", "prometheus"}
    assert members["egress"] == {"worker-connectors", "worker-destructive", "worker-gateway", "sandbox-setup"}
    assert members["sandbox-egress"] == {"sandbox-engine"}
    assert members["databases-egress"] == {"worker-sandbox"}
    assert members["pulumi-state"] == {"sandbox-engine", "pulumi-state"}
    options = cast("dict[str, str]", networks["front"]["driver_opts"])
    assert options["com.docker.network.bridge.enable_ip_masquerade"] == "false"
    assert not members["front"] & {*_WORKERS, "sandbox-engine", "vault", "temporal", "postgresql", "pulumi-state"}
    assert members["temporal-db"] == {"temporal", "postgresql"}
    assert members["vault"] == {
        "vault",
        "vault-setup",
        "deliverer",
        "codec-server",
        *_WORKERS,
    }


def test_ports_are_published_on_loopback_only(stack: dict[str, object]) -> None:
    published = {
        (name, str(port.get("host_ip")))
        for name, service in _services(stack).items()
        for port in cast("list[dict[str, object]]", service.get("ports", []))
    }

    assert {address for _, address in published} == {"127.0.0.1"}
    assert {name for name, _ in published} == {
        "temporal-ui",
        "grafana",
        "codec-server",
        "otel-collector",
        "worker-gateway",
    }


def test_the_gateway_only_reads_what_others_wrote_of_themselves(stack: dict[str, object]) -> None:
    volumes = cast("list[dict[str, object]]", _services(stack)["worker-gateway"]["volumes"])
    others = [one for one in volumes if str(one["source"]).startswith("audit-") and one["source"] != "audit-gateway"]
    assert [one.get("read_only") for one in others] == [True] * 5
    environment = cast("dict[str, str]", _services(stack)["worker-gateway"]["environment"])
    assert {str(one["target"]).rpartition("/")[0] for one in others} == {environment["BANKSMAN_AUDIT_OF_OTHERS"]}


def test_each_role_sees_its_own_secrets_only(stack: dict[str, object]) -> None:
    seen: dict[str, set[str]] = {}
    for name, service in _services(stack).items():
        for volume in cast("list[dict[str, object]]", service.get("volumes", [])):
            seen.setdefault(str(volume["source"]), set()).add(name)

    for role in ("goals", "connectors", "sandbox", "destructive", "gateway"):
        assert seen[f"secret-ids-{role}"] == {"deliverer", f"worker-{role}"}
        assert seen[f"tls-{role}"] == {"certificates", f"worker-{role}"}
        assert seen[f"audit-{role}"] == {f"worker-{role}", "worker-gateway"}
    assert seen["secret-ids-codec"] == {"deliverer", "codec-server"}
    assert seen["tls-authority"] == {"certificates"}
    assert seen["deliverer"] == {"vault-setup", "deliverer"}
    assert not [source for source in seen if "docker.sock" in source]
    assert seen["engine-socket"] == {"sandbox-engine", "sandbox-setup", "worker-sandbox", "worker-destructive"}
    assert seen["pulumi-state"] == {"pulumi-state"}
    volumes = cast("dict[str, dict[str, dict[str, str]]]", stack["volumes"])
    for name in (name for name in volumes if name.startswith("secret-ids-")):
        assert volumes[name]["driver_opts"]["type"] == "tmpfs"


def test_the_models_worker_is_there_when_it_is_asked_for_and_reaches_models_alone(
    stack: dict[str, object], with_models: dict[str, object]
) -> None:
    assert "worker-models" not in _services(stack)
    assert _services(with_models).keys() - _services(stack).keys() == {"worker-models"}
    worker = _services(with_models)["worker-models"]
    assert set(cast("dict[str, object]", worker["networks"])) == {
        *("temporal", "vault", "telemetry", "models-egress", "relay"),
    }
    volumes = {str(one["source"]) for one in cast("list[dict[str, object]]", worker["volumes"])}
    assert {one for one in volumes if "/" not in one} == {
        *("tls-models", "secret-ids-models", "audit-models", "artifacts"),
    }
    assert (worker["read_only"], worker["cap_drop"]) == (True, ["ALL"])
    others = [name for name, one in _services(with_models).items() if "models-egress" in str(one.get("networks"))]
    assert others == ["worker-models"]
    keys = [name for name, one in _services(with_models).items() if "secret-ids-models" in str(one.get("volumes"))]
    assert sorted(keys) == ["deliverer", "worker-models"]


def test_the_relay_faces_the_world_by_one_port_and_reaches_nothing_but_its_pages_in_vault(
    stack: dict[str, object], with_relay: dict[str, object]
) -> None:
    assert _services(with_relay).keys() - _services(stack).keys() == {"relay"}
    relay = _services(with_relay)["relay"]
    [port] = cast("list[dict[str, object]]", relay["ports"])
    assert (port.get("host_ip"), str(port["target"]), str(port["published"])) == (None, "8443", "8443")
    joined = cast("dict[str, dict[str, object] | None]", relay["networks"])
    assert set(joined) == {"vault", "telemetry", "machines", "relay"}
    assert joined["relay"] == {"aliases": ["relay.example.com"]}
    networks = cast("dict[str, dict[str, object]]", with_relay["networks"])
    closed = {name for name in joined if networks[name].get("internal")}
    assert joined.keys() - closed == {"machines"}
    options = cast("dict[str, str]", networks["machines"]["driver_opts"])
    assert options["com.docker.network.bridge.enable_ip_masquerade"] == "false"
    others = {name for name, one in _services(with_relay).items() if "machines" in str(one.get("networks"))}
    assert others == {"relay"}
    [volume] = cast("list[dict[str, object]]", relay["volumes"])
    assert volume["source"] == "secret-ids-relay"
    assert (relay["read_only"], relay["cap_drop"]) == (True, ["ALL"])
    given = cast("dict[str, str]", relay["environment"])
    assert given.keys() <= {f"BANKSMAN_{name.upper()}" for name in Settings.model_fields}
    assert given["BANKSMAN_RELAY_CERTIFICATE"] == "/run/secrets/relay-certificate"


def test_our_containers_can_do_little(stack: dict[str, object]) -> None:
    for name in _OURS:
        service = _services(stack)[name]
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert "privileged" not in service
        assert ("user" in service) == (name == "certificates")
        assert service["pids_limit"]
        assert service["mem_limit"]


def test_the_one_privileged_container_is_an_engine_with_user_namespaces_and_no_port(stack: dict[str, object]) -> None:
    services = _services(stack)
    assert {name for name, service in services.items() if service.get("privileged")} == {"sandbox-engine"}
    engine = services["sandbox-engine"]
    command = cast("list[str]", engine["command"])
    assert "--userns-remap=default" in command
    assert [word for word in command if word.startswith("--host")] == ["--host=unix:///run/banksman-engine/docker.sock"]
    assert "ports" not in engine
    assert set(cast("dict[str, object]", engine["networks"])) == {"sandbox-egress", "pulumi-state"}


def test_every_image_is_pinned_and_every_service_comes_back(stack: dict[str, object]) -> None:
    for name, service in _services(stack).items():
        assert re.search(r":v?\d+\.\d+(?:\.\d+)?(?:-\w+)?$", str(service["image"])), name
        assert service["restart"] == ("no" if name in _SETUP else "unless-stopped"), name


def test_health_is_checked_where_an_image_can(stack: dict[str, object]) -> None:
    dockerfile = (_ROOT / "Dockerfile").read_text()
    assert "HEALTHCHECK" in dockerfile
    checked = {name for name, service in _services(stack).items() if "healthcheck" in service}

    assert checked >= {
        "postgresql",
        "pulumi-state",
        "temporal",
        "temporal-ui",
        "vault",
        "deliverer",
        "prometheus",
        "alertmanager",
        "grafana",
    }
    jobs = yaml.safe_load((_ROOT / "observability/prometheus/prometheus.yml").read_text())["scrape_configs"]
    watched = {target.split(":")[0] for job in jobs for static in job["static_configs"] for target in static["targets"]}
    assert watched >= _services(stack).keys() - checked - _OURS
    assert watched >= _WORKERS


def test_every_process_of_ours_that_shows_metrics_is_scraped_where_it_is_there(
    stack: dict[str, object], with_models: dict[str, object], with_relay: dict[str, object]
) -> None:
    services = _services(stack) | _services(with_models) | _services(with_relay)
    given = {name: cast("dict[str, str]", one.get("environment") or {}) for name, one in services.items()}
    shows = {name for name, one in given.items() if one.get("BANKSMAN_METRICS_ADDRESS")} - _SETUP
    jobs = yaml.safe_load((_ROOT / "observability/prometheus/prometheus.yml").read_text())["scrape_configs"]
    [job] = [one for one in jobs if one["job_name"] == "banksman"]
    always = {target for one in job["static_configs"] for target in one["targets"]}
    where_there = {f"{name}:{one['port']}" for one in job["dns_sd_configs"] for name in one["names"]}
    assert always == {f"{name}:9464" for name in shows & _services(stack).keys()}
    assert where_there == {f"{name}:9464" for name in shows - _services(stack).keys()}
    for name in (*shows, "prometheus"):
        assert "telemetry" in cast("dict[str, object]", services[name]["networks"]), name
    [role] = [re.compile(one["regex"]) for one in job["relabel_configs"] if one["target_label"] == "role"]
    assert [role.sub(r"\1", name) for name in ("worker-models", "relay")] == ["models", "relay"]


def test_the_settings_are_those_that_the_code_reads(stack: dict[str, object]) -> None:
    known = {f"BANKSMAN_{name.upper()}" for name in Settings.model_fields} | _BY_HAND
    for name in _OURS - (_SETUP - {"setup"}):
        given = cast("dict[str, str]", _services(stack)[name]["environment"])
        assert given.keys() <= known, name


def test_what_is_left_out_of_the_env_file_is_as_if_unset(
    stack: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in cast("dict[str, str]", _services(stack)["worker-gateway"]["environment"]).items():
        monkeypatch.setenv(name, value)
    settings = Settings()
    assert (settings.console_url, settings.console_listen, settings.console_oidc_issuer) == (None, None, None)


def test_the_file_for_stacks_leads_to_the_state_and_names_no_secret(stack: dict[str, object]) -> None:
    said = read_file(_ROOT / "deploy/compose/stacks.yaml", StackEnvironment)
    state = said.state_of("banksman_look")
    assert isinstance(state, PostgresState)
    service = _services(stack)["pulumi-state"]
    given = cast("dict[str, str]", service["environment"])
    assert state.database == given["BANKSMAN_STATE_DATABASE"]
    egress = said.opened(EgressSettings(proxy_image=f"sha256:{'0' * 64}"))
    targets = [target for relays in egress.relays.values() for target in relays.values()]
    assert [(target.host, target.port) for target in targets] == [("pulumi-state", 5432)]
    assert set(cast("dict[str, object]", service["networks"])) == {"pulumi-state"}


def test_the_bootstrap_of_the_state_asks_for_what_the_service_is_given(stack: dict[str, object]) -> None:
    given = cast("dict[str, str]", _services(stack)["pulumi-state"]["environment"])
    asked = set(re.findall(r"\\getenv \w+ (\w+)", (_ROOT / "deploy/pulumi/state.sql").read_text()))
    assert asked == given.keys() - {"POSTGRES_PASSWORD"}


def test_files_that_are_mounted_exist(stack: dict[str, object]) -> None:
    for service in _services(stack).values():
        for volume in cast("list[dict[str, object]]", service.get("volumes", [])):
            source = Path(str(volume["source"]))
            if volume["type"] == "bind" and source.name != Path(_environment()["BANKSMAN_POLICY_FILE"]).name:
                assert source.exists(), source


def test_the_image_is_built_from_what_the_ignore_file_lets_in() -> None:
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", (_ROOT / "Dockerfile").read_text(), re.MULTILINE)
    allowed = set(re.findall(r"^!(\S+)$", (_ROOT / ".dockerignore").read_text(), re.MULTILINE))

    assert {source.split("/")[0] for line in copied for source in line.split()} <= allowed
    assert "USER 10001:10001" in (_ROOT / "Dockerfile").read_text()


def test_the_configuration_files_are_yaml() -> None:
    for path in (_ROOT / "observability").rglob("*.yml"):
        assert yaml.safe_load(path.read_text()), path


def test_the_collector_sends_to_what_is_there(stack: dict[str, object]) -> None:
    config = yaml.safe_load((_ROOT / "observability/collector/collector.yml").read_text())
    pipelines = config["service"]["pipelines"].values()
    for part in ("receivers", "processors", "exporters"):
        used = {name for pipeline in pipelines for name in pipeline[part]}
        assert used == config[part].keys()
    hosts = {re.sub(r"https?://([^:/]+).*", r"\1", exporter["endpoint"]) for exporter in config["exporters"].values()}
    assert hosts <= _services(stack).keys()


def test_alerts_are_handed_on_and_the_way_to_slack_is_a_secret(stack: dict[str, object]) -> None:
    prometheus = yaml.safe_load((_ROOT / "observability/prometheus/prometheus.yml").read_text())
    [to] = prometheus["alerting"]["alertmanagers"]
    assert to["static_configs"] == [{"targets": ["alertmanager:9093"]}]
    text = (_ROOT / "observability/alertmanager/alertmanager.yml").read_text()
    sent = {
        receiver["name"]: [one.get("api_url_file") for one in receiver["slack_configs"]]
        for receiver in yaml.safe_load(text)["receivers"]
    }
    assert sent == {"slack": ["/run/secrets/alert-webhook"]}
    assert "http" not in text
    given = {
        name: {str(one["source"]) for one in cast("list[dict[str, object]]", service.get("secrets", []))}
        for name, service in _services(stack).items()
    }
    assert {name for name, secrets in given.items() if "alert-webhook" in secrets} == {"alertmanager"}
    mounted = {str(v["target"]) for v in cast("list[dict[str, object]]", _services(stack)["prometheus"]["volumes"])}
    assert set(prometheus["rule_files"]) <= mounted


def test_temporal_keeps_the_pace_of_the_embedded_environment() -> None:
    said = yaml.safe_load((_ROOT / "deploy" / "compose" / "dynamicconfig.yml").read_text())
    assert {key: said[key] for key in SETTINGS} == {key: [{"value": value}] for key, value in SETTINGS.items()}
