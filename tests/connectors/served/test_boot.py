"""What a machine boots that serves a model: read back as cloud-init and a shell read it."""

import base64
import json
import subprocess
from typing import Any

import pytest
import yaml
from pydantic import SecretStr, ValidationError

from connectors.lambdalabs.readiness import FIRST_BOOT
from connectors.served.boot import Boot, ticket, with_model
from connectors.served.hello import Hello

KEY = SecretStr("lambda-key-canary-0c1d")
HOSTILE = ("serve", "a b", "$(touch x)", "`id`", "';reboot;'", '"', "\\", "%h", "--name=$HOME")


def booted(*run: str) -> dict[str, Any]:
    """The files of the user data, by their paths, and its commands."""
    boot = Boot(name="gpu", relay="relay.example:8443", run=run or ("serve",), port=8123)
    told = yaml.safe_load(with_model(FIRST_BOOT, boot, SecretStr("7" * 64)))
    ours = [one for one in told["write_files"] if one.get("encoding") == "b64"]
    return {
        **{one["path"]: base64.b64decode(one["content"]).decode() for one in ours},
        "modes": {one["path"]: one["permissions"] for one in told["write_files"]},
        "runcmd": told["runcmd"],
    }


def test_it_counts_its_gpus_as_every_machine_and_starts_both_ends() -> None:
    found = booted()
    assert found["runcmd"] == [
        ["systemctl", "daemon-reload"],
        ["systemctl", "enable", "--now", "banksman-model", "banksman-tunnel"],
        ["/usr/local/sbin/banksman-gpus"],
    ]
    assert found["modes"]["/etc/banksman/tunnel.json"] == "0600"
    told = json.loads(found["/etc/banksman/tunnel.json"])
    assert (told["host"], told["relay_port"], told["port"], told["name"]) == ("relay.example", 8443, 8123, "gpu")
    assert Hello.model_validate({"version": 1, "name": told["name"], "ticket": told["ticket"], "secret": "5" * 64})
    compile(found["/usr/local/lib/banksman/tunnel.py"], "tunnel.py", "exec")


def test_no_word_of_the_command_becomes_anything_else() -> None:
    script = booted(*HOSTILE)["/usr/local/sbin/banksman-model"]
    shown = script.replace("exec serve", "printf '%s\\n' serve", 1)
    done = subprocess.run(["/bin/sh", "-c", shown], capture_output=True, text=True, check=True)
    assert tuple(done.stdout.splitlines()) == HOSTILE
    assert "%" not in booted(*HOSTILE)["/etc/systemd/system/banksman-model.service"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"run": ()},
        {"run": ("a\nb",)},
        {"run": ("a\x00",)},
        {"relay": "relay.example"},
        {"relay": "http://relay.example:1"},
        {"relay": 'x":1'},
        {"authority": "no PEM"},
        {"name": "Gpu"},
        {"port": 0},
        {"also": 1},
    ],
    ids=str,
)
def test_what_is_no_such_machine_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Boot.model_validate({"name": "gpu", "relay": "relay.example:8443", "run": ("serve",), **wrong})


def test_a_ticket_is_one_runs_and_tells_nothing_of_the_key() -> None:
    made = ticket(KEY, mark="banksman-1", run="a").get_secret_value()
    assert made == ticket(KEY, mark="banksman-1", run="a").get_secret_value()
    others = [ticket(KEY, mark="banksman-1", run="b"), ticket(KEY, mark="banksman-2", run="a")]
    others.append(ticket(SecretStr("another"), mark="banksman-1", run="a"))
    assert made not in {one.get_secret_value() for one in others}
    assert KEY.get_secret_value() not in made
    assert len(made) == 64
