"""`banksman models`: what a file says, and whether each answers. Without Temporal; without Vault where no key is."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr
from typer.testing import CliRunner

from connectors.errors import NotFound
from connectors.models.client import ModelClient
from tests.connectors.models.compatible import Compatible, refuses, says
from tests.connectors.models.deployed import FILE, LAMP, deployed, written
from tests.connectors.serving import served
from workers.cli import app
from workers.commands.models import Fields, asked

KEYLESS = FILE.replace("kind: openai,", "kind: openai, key: none,")


@pytest.fixture
def server() -> Compatible:
    return Compatible()


@pytest.fixture
def url(server: Compatible) -> Iterator[str]:
    with served(server.app()) as found:
        yield found


def run(*arguments: str) -> tuple[int, str]:
    done = CliRunner(env={"COLUMNS": "200"}).invoke(app, ["models", *arguments])
    return done.exit_code, done.output


def test_each_model_is_asked_once_and_told_of(server: Compatible, url: str, tmp_path: Path) -> None:
    server.answers += [says("ready"), says("ready")]
    code, told = run("check", str(written(tmp_path, url, KEYLESS)))
    assert code == 0
    assert told.count("✓") == len(server.asked) == 2
    assert "lab/lamp-1" in told
    assert "$1.5 in, $4 out" in told
    assert "takes public, repository data" in told


def test_one_that_does_not_answer_is_a_failure_that_says_why(server: Compatible, url: str, tmp_path: Path) -> None:
    server.answers += [says("ready"), refuses(401)]
    code, told = run("check", "--json", str(written(tmp_path, url, KEYLESS)))
    rows = json.loads(told)
    assert code == 1
    assert sorted(one["answered"] for one in rows) == [False, True]
    [failed] = [one for one in rows if not one["answered"]]
    assert failed["said"].startswith("AuthDenied: ")


def test_what_is_known_is_shown_and_nobody_is_asked(server: Compatible, url: str, tmp_path: Path) -> None:
    code, told = run("show", "--json", str(written(tmp_path, url)))
    assert code == 0
    assert [(one["model"], one["uses"], one["answered"]) for one in json.loads(told)] == [
        ("attic/qwen3:4b", ["read"], None),
        ("lab/lamp-1", ["plan", "read"], None),
    ]
    assert server.asked == []


def test_a_mistake_in_the_file_is_told_with_its_line(tmp_path: Path) -> None:
    code, told = run("check", str(written(tmp_path, text=FILE.replace("kind: openai", "kind: opena"))))
    assert code == 2
    assert "models.yaml:2: backends.lab.kind: 'opena' is not known here" in " ".join(told.split())


def test_without_a_file_it_says_how_to_name_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BANKSMAN_MODELS", raising=False)
    code, told = run("show")
    assert code == 2
    assert "BANKSMAN_MODELS" in told


async def test_the_key_of_the_backend_is_used_and_not_told(server: Compatible, url: str, tmp_path: Path) -> None:
    server.answers += [says("ready")]

    async def key_of(backend: str) -> Fields:
        return {"key": SecretStr(f"sk-canary-of-{backend}")}

    row = await asked(ModelClient(deployed(tmp_path, url)), LAMP, key_of)
    assert row.answered
    assert server.keys == ["Bearer sk-canary-of-lab"]
    assert "canary" not in repr(row)


async def test_a_key_that_is_not_in_vault_is_told(server: Compatible, url: str, tmp_path: Path) -> None:
    async def key_of(backend: str) -> Fields:
        raise NotFound(f"Vault has no banksman/models/{backend}")

    row = await asked(ModelClient(deployed(tmp_path, url)), LAMP, key_of)
    assert (row.answered, row.said) == (False, "NotFound: Vault has no banksman/models/lab")
    assert server.asked == []
