"""The file of language models: what it says, and one clear line for each mistake."""

from pathlib import Path

import pytest

from connectors.models.deployment import Limits, ModelRef
from connectors.models.file import ModelsError, load_models
from connectors.models.raw import Key, Kind, Per, Use
from tests.connectors.models.deployed import FILE, LAMP, deployed

QWEN = ModelRef("attic", "qwen3:4b")


def mistakes(folder: Path, text: str) -> list[str]:
    path = folder / "models.yaml"
    path.write_text(text)
    with pytest.raises(ModelsError) as caught:
        load_models(path)
    return [one.removeprefix(f"{path}:") for one in str(caught.value).splitlines()]


def test_it_says_who_is_asked_for_what_with_which_data(tmp_path: Path) -> None:
    models = deployed(tmp_path, "http://127.0.0.1:9")
    lab, attic = models.backends["lab"], models.backends["attic"]
    assert (lab.kind, lab.url, lab.key, lab.seconds) == (Kind.OPENAI, "http://127.0.0.1:9/v1", Key.VAULT, 5)
    assert (attic.kind, attic.key) == (Kind.OLLAMA, Key.NONE)
    assert models.route(Use.READ) == (QWEN, LAMP)
    assert models.route(Use.REVIEW) == ()
    assert models.asked == (QWEN, LAMP)
    assert models.not_allowed("lab", ["repository", "private", "log"]) == ["log", "private"]
    assert models.not_allowed("attic", ["repository", "private"]) == []
    assert models.not_allowed("nowhere", ["public"]) == ["public"]
    assert models.limits == Limits(goal_usd=2, goal_requests=60, goal_minutes=30, day_usd=100, day_per=Per.REQUESTER)


def test_an_installations_day_is_limited_beside_that_of_all_or_of_each_person(tmp_path: Path) -> None:
    text = VALID.replace("day: {usd: 100, per: requester}", "day: {decisions: 9, usd_per_installation: 20}")
    assert text != VALID
    path = tmp_path / "models.yaml"
    path.write_text(text.replace("usd: 2, ", ""))
    limits = load_models(path).limits
    assert (limits.installation_day_usd, limits.day_usd, limits.day_decisions) == (20, None, 9)
    assert limits.money, "so that nothing is asked whose price nobody knows"


def test_the_example_of_the_documentation_is_valid() -> None:
    models = load_models(Path(__file__).parents[3] / "deploy/models.yaml")
    assert {one.kind for one in models.backends.values()} >= {Kind.BEDROCK, Kind.OLLAMA, Kind.OPENAI}
    assert set(models.routes) == set(Use)


SERVED = """\
backends:
  gpu: {kind: openai, url: "https://relay.example:8444/gpu/v1"}
  far: {kind: openai, url: "https://far.example/v1"}
tiers: {small: [gpu/lamp-1]}
routes: {read: small}
data: {gpu: [public], far: [public]}
served:
  gpu: {relay: "relay.example:8443", run: [serve, lamp-1]}
"""


def test_it_says_what_machines_boot_that_serve_a_backend(tmp_path: Path) -> None:
    path = tmp_path / "models.yaml"
    path.write_text(SERVED)
    boot = load_models(path).served["gpu"]
    assert (boot.name, boot.relay, boot.run, boot.port) == ("gpu", "relay.example:8443", ("serve", "lamp-1"), 8000)


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("relay.example:8443", "relay.example", "8: served.gpu.relay: 'relay.example' is not a host and a port; write"),
        ("[serve, lamp-1]", "[]", "8: served.gpu.run: is empty; add at least one"),
        ("[serve, lamp-1]", '["a\\nb"]', "is not a word of a command"),
        ("run:", "rnu:", "8: served.gpu.rnu: unknown key 'rnu'; did you mean 'run'?"),
        ("  gpu: {relay", "  gpus: {relay", "8: served.gpus: there is no backend 'gpus'; did you mean 'gpu'?"),
        (
            "  gpu: {relay",
            "  far: {relay",
            "8: served.far: is asked through the relay: write `far: {kind:",
        ),
        ("  gpu: {relay", "  far: {relay", "8: served.far: no tier has a model of 'far'; add one"),
        (
            "run: [serve",
            "authority: x, run: [serve",
            "8: served.gpu.authority: 'x' is not a certificate; write",
        ),
    ],
)
def test_a_mistake_in_what_is_served_is_told(tmp_path: Path, before: str, after: str, said: str) -> None:
    assert any(said in one for one in mistakes(tmp_path, SERVED.replace(before, after)))


VALID = FILE.format(url="http://127.0.0.1:9")


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (
            "kind: openai",
            "kind: opena",
            "2: backends.lab.kind: 'opena' is not known here; did you mean 'openai'? Write",
        ),
        ("kind: ollama", "kind: bedrock", "3: backends.attic: is of kind bedrock and has no `region`"),
        ("seconds: 5", "second: 5", "2: backends.lab.second: unknown key 'second'; did you mean 'seconds'? Known here"),
        ("seconds: 5", "seconds: 5, region: eu-central-1", "2: backends.lab.region: only a backend of kind bedrock"),
        ("seconds: 5", "seconds: 5000", "2: backends.lab.seconds: 5000 is too large; write 540 or less"),
        ("seconds: 5", 'seconds: "5"', "2: backends.lab.seconds: '5' is not a whole number; write it in digits"),
        ('"http://127.0.0.1:9/v1"', "lab.example", "2: backends.lab.url: 'lab.example' is not an address; write"),
        ('"http://127.0.0.1:9/v1"', "https://u:p@lab.example", "2: backends.lab.url: 'https://u:p@lab.example' is not"),
        ("kind: openai", "kind: google, key: none", "2: backends.lab.key: a backend of kind google wants a key"),
        ("[attic/qwen3:4b, lab/lamp-1]", "[atic/qwen3:4b]", "8: tiers.small[0]: there is no backend 'atic'; did you"),
        ("[attic/qwen3:4b, lab/lamp-1]", "[qwen3]", "8: tiers.small[0]: 'qwen3' is not a model; write BACKEND/MODEL"),
        ("large: [lab/lamp-1]", "large: []", "9: tiers.large: is empty; add at least one"),
        ("large: [lab/lamp-1]", "large: [lab/lamp-1, lab/lamp-1]", "9: tiers.large[1]: 'lab/lamp-1' is in this tier"),
        ("plan: large", "plan: lage", "10: routes.plan: there is no tier 'lage'; did you mean 'large'? Known here"),
        ("plan: large", "plam: large", "10: routes.plam: 'plam' is not known here; did you mean 'plan'? Write one of"),
        (
            "lab: [public, repository]",
            "lab: [pubic]",
            "12: data.lab[0]: 'pubic' is no label of ours; did you mean 'pub",
        ),
        ("  lab: [public, repository]\n", "", "11: data: no data may go to 'lab', so that it is never asked; add it"),
        ("lab: [public, repository]", "lab: public", "12: data.lab: 'public' is not a list; write it in brackets"),
        (
            "per: requester",
            "per: person",
            "14: limits.day.per: 'person' is not known here; write one of all, requester",
        ),
        (
            "per: requester",
            "usd_per_install: 20",
            "14: limits.day.usd_per_install: unknown key 'usd_per_install'; did you mean 'usd_per_installation'",
        ),
        ("{usd: 2,", "{usd: two,", "14: limits.goal.usd: 'two' is not a number; write it in digits"),
        (
            "attic/qwen3:4b: {",
            "attic/qwen3:8b: {",
            "6: models.attic/qwen3:8b: there is no model of a tier 'attic/qwen3",
        ),
        ("input: 1.5, ", "", "5: models.lab/lamp-1.price.input: is missing; add it"),
        (
            "routes:",
            "route:",
            "10: route: unknown key 'route'; did you mean 'routes'? Known here: backends, models, tie",
        ),
        ("kind: openai", "kind: openai, kind: ollama", "2: backends.lab.kind: the key 'kind' is already on line 2"),
    ],
)
def test_a_mistake_is_told_with_its_line_and_what_was_meant(tmp_path: Path, before: str, after: str, said: str) -> None:
    assert before in VALID
    told = mistakes(tmp_path, VALID.replace(before, after, 1))
    assert [one for one in told if one.startswith(said)], told


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    text = VALID.replace("kind: openai", "kind: opena").replace("seconds: 5", "seconds: 1").replace("usd: 2", "usd: -2")
    assert [one.split(": ")[1] for one in mistakes(tmp_path, text)] == [
        "backends.lab.kind",
        "backends.lab.seconds",
        "limits.goal.usd",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "1: file: is empty"),
        ("- a", "1: file: ['a'] is not a mapping"),
        ("a: &x 1\nb: *x", "1: file: anchors and aliases"),
        ("a: [", "1: file: this is not YAML"),
    ],
)
def test_what_is_no_such_file_at_all_is_said(tmp_path: Path, text: str, said: str) -> None:
    assert mistakes(tmp_path, text)[0].startswith(said)


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(ModelsError, match="cannot be read"):
        load_models(tmp_path / "none.yaml")
