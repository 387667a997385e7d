"""The PostgreSQL of the embedded environment that keeps Pulumi's state: a real server, its data in that folder.

Containers reach it at the gateway of the container engine's own bridge and nowhere else, with a password; the
supervisor reaches it by a unix socket in a folder that only its owner may open. PostgreSQL refuses to run as root, and
the environment's folder is closed to everybody else: started by root, the server is another user, to whom a mount
namespace of its own shows the folder and the programs at another place. Nothing on the machine is made more open for
it.
"""

import json
import os
import pwd
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from deploy.local.postgres import Postgres, find_postgres
from deploy.local.processes.child import ChildFailed
from deploy.local.state import StackFolder
from deploy.local.tools import run_program

DATABASE: Final = "pulumi_local"
LOOK_ROLE: Final = "banksman_look"
CHANGE_ROLE: Final = "banksman_change"
_ROLES: Final = "banksman"
_SUPERUSER: Final = "postgres"
_SETUP: Final = Path(__file__).parent.parent / "pulumi" / "state.sql"
_LINES: Final = 5
_SECONDS: Final = 60.0

_OTHER_USER: Final = 5432
_PLACE: Final = Path("/media")
"""Hidden for the server alone; a folder that every Linux has and few put an environment into."""
_AS_ANOTHER: Final = f"""
mount -t tmpfs -o mode=0755,size=64k none {_PLACE}
mkdir {_PLACE}/db {_PLACE}/programs
mount --bind "$1" {_PLACE}/db
mount --bind "$2" {_PLACE}/programs
mount --bind {_PLACE}/db/passwd /etc/passwd
shift 2
cd {_PLACE}/db
exec setpriv --reuid={_OTHER_USER} --regid={_OTHER_USER} --clear-groups --no-new-privs --inh-caps=-all \
  --bounding-set=-all "$@"
"""
_PASSWD: Final = f"""\
root:x:0:0::/:/bin/false
{_SUPERUSER}:x:{_OTHER_USER}:{_OTHER_USER}::{_PLACE}/db:/bin/false
"""
_HBA: Final = f"""\
local all {_SUPERUSER} peer map=owner
host {DATABASE},postgres {LOOK_ROLE},{CHANGE_ROLE} 0.0.0.0/0 scram-sha-256
"""


class _Kept(BaseModel):
    """What opens the states of this environment; made once."""

    model_config = ConfigDict(frozen=True)

    passphrase: str = Field(default_factory=lambda: secrets.token_urlsafe(32))
    look: str = Field(default_factory=lambda: secrets.token_urlsafe(32))
    change: str = Field(default_factory=lambda: secrets.token_urlsafe(32))
    platform_look: str = Field(default_factory=lambda: secrets.token_urlsafe(32))
    platform_change: str = Field(default_factory=lambda: secrets.token_urlsafe(32))


@dataclass
class StateDatabase:
    """One server of one stack.

    Attributes:
        port: Where it listens, on the gateway's address.
        environment: The whole environment of its programs.
    """

    folder: StackFolder
    port: int
    environment: Mapping[str, str]
    _postgres: Postgres | None = None

    def secrets(self) -> Mapping[str, Mapping[str, SecretStr]]:
        """What goes to Vault, by path: one passphrase, and a role with its password for each kind of step."""
        kept = self._kept()
        roles = {
            "pulumi/look": (LOOK_ROLE, kept.look, kept.platform_look),
            "pulumi/change": (CHANGE_ROLE, kept.change, kept.platform_change),
        }
        return {
            path: {
                "passphrase": SecretStr(kept.passphrase),
                "state-role": SecretStr(role),
                "state-password": SecretStr(password),
                "environment/PLATFORM_TOKEN": SecretStr(token),
            }
            for path, (role, password, token) in roles.items()
        }

    def platform_tokens(self) -> tuple[str, str]:
        """What opens the platform to those who look, and to those who change."""
        kept = self._kept()
        return kept.platform_look, kept.platform_change

    async def find(self) -> None:
        """Look for its programs.

        Raises:
            ToolUnavailableError: There is no PostgreSQL that fits.
        """
        self._postgres = await find_postgres(self._home / "data")

    async def prepare(self, gateway: str) -> list[str]:
        """Make its data where there is none.

        Args:
            gateway: The one address to listen on.

        Returns:
            The server's command line.

        Raises:
            ChildFailed: The data cannot be made.
            ToolUnavailableError: There is no PostgreSQL that fits.
        """
        await self.find()
        self._write_rules()
        if not (self._home / "data").exists():
            await self._make_data()
        inside = self._inside
        settings = {
            "listen_addresses": gateway,
            "port": str(self.port),
            "unix_socket_directories": str(inside),
            "unix_socket_permissions": "0700",
            "hba_file": f"{inside}/hba.conf",
            "ident_file": f"{inside}/ident.conf",
            "password_encryption": "scram-sha-256",
            "shared_buffers": "16MB",
            "max_connections": "50",
        }
        options = [f"--{name}={value}" for name, value in settings.items()]
        return [*self._program("postgres"), "-D", f"{inside}/data", *options]

    async def answers(self) -> bool:
        """Whether it takes statements."""
        code, _ = await self._psql({}, "--command", "SELECT 1")
        return code == 0

    async def open(self) -> None:
        """Put the database and its two roles right.

        Raises:
            ChildFailed: It refuses something.
        """
        kept = self._kept()
        told = {
            "BANKSMAN_STATE_DATABASE": DATABASE,
            "BANKSMAN_STATE_ROLES": _ROLES,
            "BANKSMAN_LOOK_PASSWORD": kept.look,
            "BANKSMAN_CHANGE_PASSWORD": kept.change,
        }
        code, said = await self._psql(told, "--file", str(_SETUP))
        if code:
            raise ChildFailed(f"the state database could not be set up: {_end_of(said)}")

    @property
    def _home(self) -> Path:
        return self.folder.database

    @property
    def _inside(self) -> Path:
        """The folder, as the server sees it."""
        return _PLACE / "db" if os.geteuid() == 0 else self._home

    def _kept(self) -> _Kept:
        file = self.folder.root / "pulumi.json"
        kept = _Kept.model_validate_json(file.read_bytes()) if file.exists() else _Kept()
        text = json.dumps(kept.model_dump()).encode()
        if not file.exists() or file.read_bytes() != text:  # an earlier release kept less
            self.folder.private(file.name, text)
        return kept

    def _write_rules(self) -> None:
        """Who may come in by which way."""
        self._home.mkdir(mode=0o700, exist_ok=True)
        ident = f'owner "{_user_name()}" {_SUPERUSER}\n'
        for name, text in (("hba.conf", _HBA), ("ident.conf", ident), ("passwd", _PASSWD)):
            self.folder.private(f"{self._home.name}/{name}", text.encode())
        if os.geteuid() == 0:
            for path in (self._home, *(self._home / name for name in ("hba.conf", "ident.conf", "passwd"))):
                os.chown(path, _OTHER_USER, _OTHER_USER)

    async def _make_data(self) -> None:
        """Under another name first, so that half of it is never taken for the whole."""
        draft = self._home / "data.new"
        shutil.rmtree(draft, ignore_errors=True)
        options = ["--auth-local=peer", "--auth-host=scram-sha-256", "--encoding=UTF8", "--locale=C"]
        argv = [*self._program("initdb"), f"--username={_SUPERUSER}", *options, f"{self._inside}/{draft.name}"]
        code, said = await run_program(argv, seconds=_SECONDS, environment=self.environment)
        if code:
            raise ChildFailed(f"the state database's data cannot be made: {_end_of(said)}")
        draft.rename(self._home / "data")

    def _program(self, name: str) -> list[str]:
        """The words that run one of its programs as who the server is."""
        found = self._found()
        if os.geteuid() != 0:
            return [str(found.programs / name)]
        programs, environment = found.programs, found.environment or found.programs
        if found.environment is not None:
            programs = _PLACE / "programs" / programs.relative_to(environment)
        shown = (str(self._home), str(environment))
        return ["unshare", "--mount", "--", "/bin/sh", "-euc", _AS_ANOTHER, "sh", *shown, "--", str(programs / name)]

    def _found(self) -> Postgres:
        if self._postgres is None:
            raise RuntimeError("the state database was asked before it was prepared")
        return self._postgres

    async def _psql(self, told: Mapping[str, str], *arguments: str) -> tuple[int, str]:
        argv = [str(self._found().programs / "psql"), "--no-psqlrc", "--no-password", "--quiet"]
        argv += ["--host", str(self._home), "--port", str(self.port), "--username", _SUPERUSER, "--dbname", "postgres"]
        environment = {**self.environment, **told}
        return await run_program([*argv, *arguments], seconds=_SECONDS, environment=environment)


def _user_name() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError as error:
        raise ChildFailed(
            f"the user {os.geteuid()} has no name on this machine, which PostgreSQL needs: run this as another"
        ) from error


def _end_of(said: str) -> str:
    return " / ".join(said.strip().splitlines()[-_LINES:])
