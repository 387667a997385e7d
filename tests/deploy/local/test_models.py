"""The embedded environment's file of language models, with and without a small one that plans."""

from pathlib import Path

import pytest
import yaml

from connectors.models.deployment import ModelRef
from connectors.models.file import load_models
from connectors.models.raw import Key, Use
from deploy.local.models import SMALL, RelayAddress, asks_small_model, with_small_model, write_models
from deploy.local.state import StackFolder

RELAY = RelayAddress(machines=8443, askers=8444, authority="")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    folder = StackFolder(tmp_path)
    folder.make()
    written = write_models(folder, twin="http://127.0.0.1:8339", relay=RELAY)
    settings = yaml.safe_load(written.read_text())
    settings["served"]["twin-gpu"].pop("authority")  # made of a certificate
    written.write_text(yaml.safe_dump(settings, sort_keys=False))
    return written


def test_a_small_model_is_the_only_one_asked_for_plans_and_nothing_else_changes(file: Path) -> None:
    before = load_models(file)
    text = file.read_text()
    file.write_text(with_small_model(text, "http://127.0.0.1:1234"))
    after = load_models(file)
    assert after.route(Use.PLAN) == (ModelRef(SMALL, "smollm2-135m"),)
    assert [after.route(use) for use in Use if use is not Use.PLAN] == [
        before.route(use) for use in Use if use is not Use.PLAN
    ]
    assert (after.limits, after.served) == (before.limits, before.served)
    assert {name: after.data[name] for name in before.data} == before.data
    backend = after.backends[SMALL]
    assert (backend.url, backend.key) == ("http://127.0.0.1:1234/v1", Key.NONE)
    assert after.not_allowed(SMALL, ("repository",)) == []
    assert after.not_allowed(SMALL, ("private", "log")) == ["log", "private"]
    assert (asks_small_model(text), asks_small_model(file.read_text())) == (False, True)
