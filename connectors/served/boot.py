"""What a machine boots that is to serve a model: the model server, and its own end of the tunnel beside it.

User data is no place for secrets: the cloud keeps it, and shows it to whoever is on the machine. All that is secret in
it is the ticket, and that is void once the machine has dialled in for the first time, or its lease is over.
"""

import base64
import hashlib
import hmac
import json
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints

from connectors.served.hello import Name
from connectors.served.inside import tunnel

LINES: Final = 8
"""That a machine keeps open: so many requests at once."""

RELAY_PATTERN: Final = r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?:[0-9]{1,5}"
WORD_PATTERN: Final = r"[\x20-\x7e]{1,400}"
PEM_PATTERN: Final = r"(?:-----BEGIN CERTIFICATE-----\n[A-Za-z0-9+/=\n]{1,8000}-----END CERTIFICATE-----\n?)?"
_HOME: Final = "/usr/local/lib/banksman"
_MODEL: Final = """\
[Unit]
Description=The model that this machine serves, on its own loopback interface

[Service]
ExecStart=/usr/local/sbin/banksman-model
Restart=always
RestartSec=5

[Install]
WantedBy=multi-user.target
"""
_TUNNEL: Final = f"""\
[Unit]
Description=The end of the tunnel that this machine dials
Wants=network-online.target
After=network-online.target

[Service]
ExecStart=/usr/bin/python3 -I {_HOME}/tunnel.py ${{CREDENTIALS_DIRECTORY}}/tunnel.json ${{STATE_DIRECTORY}}
LoadCredential=tunnel.json:/etc/banksman/tunnel.json
DynamicUser=yes
StateDirectory=banksman-tunnel
StateDirectoryMode=0700
Restart=always
RestartSec=5

[Install]
WantedBy=multi-user.target
"""
_COMMANDS: Final = """\
- [systemctl, daemon-reload]
- [systemctl, enable, --now, banksman-model, banksman-tunnel]
"""
_RUN: Final = "runcmd:\n"

Word = Annotated[str, StringConstraints(pattern=f"^{WORD_PATTERN}$")]


class Boot(BaseModel):
    """What a deployment's file says of machines that serve one backend. Nothing in it is secret.

    Attributes:
        name: The backend's.
        relay: Where they dial, as HOST:PORT.
        authority: Who signed the relay's certificate, as PEM; empty where the machine's own authorities did.
        run: What starts the model server, word by word.
        port: Where that listens on the machine's loopback interface.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Name
    relay: Annotated[str, StringConstraints(pattern=f"^{RELAY_PATTERN}$")]
    authority: Annotated[str, StringConstraints(max_length=9000, pattern=f"^{PEM_PATTERN}$")] = ""
    run: Annotated[tuple[Word, ...], Field(min_length=1, max_length=60)]
    port: int = Field(default=8000, ge=1, le=65535)


def ticket(key: SecretStr, *, mark: str, run: str) -> SecretStr:
    """What a machine of one run of a goal dials in with: the same for all attempts to launch it, and kept nowhere.

    Args:
        key: Of the account that launches it: who has it could launch any machine.
        mark: Of the goal.
        run: Which run of it.
    """
    told = f"banksman-served\0{mark}\0{run}".encode()
    return SecretStr(hmac.new(key.get_secret_value().encode(), told, hashlib.sha256).hexdigest())


def with_model(first_boot: str, boot: Boot, dials_with: SecretStr) -> str:
    """User data that also serves the model.

    Args:
        first_boot: Other user data, which ends with its commands.
        boot: What is served.
        dials_with: The ticket.
    """
    before, after = first_boot.split(_RUN)
    files = "".join(_file(*one) for one in _files(boot, dials_with))
    return f"{before}{files}{_RUN}{_COMMANDS}{after}"


def _files(boot: Boot, dials_with: SecretStr) -> Iterator[tuple[str, str, str]]:
    host, _, port = boot.relay.rpartition(":")
    told = {
        "host": host,
        "relay_port": int(port),
        "authority": boot.authority,
        "name": boot.name,
        "ticket": dials_with.get_secret_value(),
        "port": boot.port,
        "lines": LINES,
    }
    yield f"{_HOME}/tunnel.py", "0644", Path(tunnel.__file__).read_text(encoding="utf-8")
    yield "/etc/banksman/tunnel.json", "0600", json.dumps(told)
    yield "/usr/local/sbin/banksman-model", "0755", f"#!/bin/sh\nexec {shlex.join(boot.run)}\n"
    yield "/etc/systemd/system/banksman-model.service", "0644", _MODEL
    yield "/etc/systemd/system/banksman-tunnel.service", "0644", _TUNNEL


def _file(path: str, mode: str, content: str) -> str:
    encoded = base64.b64encode(content.encode()).decode()
    return f'- path: {path}\n  permissions: "{mode}"\n  encoding: b64\n  content: {encoded}\n'
