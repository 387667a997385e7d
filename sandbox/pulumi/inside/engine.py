"""Beside Pulumi's CLI, with the secrets: runs the steps of one order, and reports what came of them.

The order is `/workspace/order.json`, the secrets are files on a tmpfs, the report is `/workspace/report.json`.
"""

import asyncio
import contextlib
import importlib
import json
import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Protocol, cast

from sandbox.pulumi.inside.command import Command, Events, Stopping
from sandbox.pulumi.inside.host import Host
from sandbox.pulumi.inside.locks import locks_of, release
from sandbox.pulumi.inside.order import EngineOrder, EngineReport, Step
from sandbox.pulumi.inside.plugins import packages_of, place_plugins
from sandbox.pulumi.inside.policies import Policies
from sandbox.pulumi.inside.relay import Relay
from sandbox.pulumi.inside.rules import Rules
from sandbox.pulumi.inside.scrubber import Scrubber
from sandbox.pulumi.inside.versions import update_version

_WORKSPACE: Final = Path("/workspace")
_PROJECT: Final = _WORKSPACE / "project"
_SECRETS: Final = Path("/run/secrets")
_TMP: Final = Path("/tmp")  # noqa: S108 - a tmpfs of the container's own
_HOME: Final = _TMP / "pulumi"
_PASSFILE: Final = _TMP / "pgpass"
_VARIABLES: Final = "environment/"
_RELAY: Final = "BANKSMAN_RELAY_"
_SEED: Final = "seed"
_IMPORTED: Final = "import.json"
_VERSION: Final = "version.json"
_IDENTITY_MODULE: Final = "banksman_state_identity"
"""The file that says which state is the same as which; it is sent in, because others go by it too."""


class _IdentityModule(Protocol):
    def state_identity(self, exported: bytes) -> str: ...


class Run:
    """One order."""

    def __init__(self, order: EngineOrder) -> None:
        self._order = order
        self._scrubber = Scrubber()
        self._secrets = _read_secrets()
        self._scrubber.learn(self._secrets.values())
        self._stopping = Stopping()
        self._identity = cast("_IdentityModule", importlib.import_module(_IDENTITY_MODULE))
        self._relay: Relay | None = None
        self._host: Host | None = None
        self._policies: Policies | None = None
        self._port = 0
        self.report: EngineReport = {
            "steps": [], "stopped": "", "changed": [], "identities": {}, "version": None, "refused": [], "output": "",
            "plugins": {}, "ran": 0, "unended": False, "locks": [], "salt": "",
        }  # fmt: skip

    async def run(self) -> None:
        """All steps, or as many as the first failure leaves."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._stop, "asked")
        late = loop.call_later(self._order["wall_seconds"], self._stop, "time")
        (_TMP / "engine.pid").write_text(str(os.getpid()))
        plugins = place_plugins(_HOME, played=self._order["played"])
        self.report["plugins"] = dict(plugins)
        # An organization in Pulumi Cloud may name policy packs, which the CLI would fetch and install right here, with
        # whatever their dependencies run. Where their folder is a file, it ends before it asks for one.
        _HOME.mkdir(exist_ok=True)
        (_HOME / "policies").touch()
        if any(step["program"] for step in self._order["steps"]):
            allowed = set(packages_of(plugins)) & set(self._order["packages"])
            self._relay = Relay(Rules(allowed, self._order["stacks"]), self._scrubber, self._order["main"])
            self._port = await self._relay.start()
            self._policies = Policies(self._order["packs"], self._scrubber, self._relay.interrupted)
            await self._policies.start()
        elif any(step["host"] for step in self._order["steps"]):
            self._host = Host()
            self._port = await self._host.start()
        try:
            await self._steps()
        finally:
            late.cancel()
            await self._finish()

    def fail(self, error: Exception) -> None:
        """Tell of what went wrong outside of any command; it counts as one that failed."""
        said = self._scrubber.clean(f"{type(error).__name__}: {error}")[:1000]
        self.report["steps"].append({"name": "engine", "exit_code": 1, "seconds": 0, "said": said, "changes": {}})

    def _stop(self, why: str) -> None:
        self._stopping.ask(why)
        if self._relay is not None:
            self.report["unended"] = self._relay.running > 0 or self.report["unended"]
            self._relay.interrupt()

    async def _steps(self) -> None:
        environment = self._environment()
        command = Command(
            environment, _PROJECT, self._scrubber, stopping=self._stopping, stop_seconds=self._order["stop_seconds"]
        )
        if self._order["unlock"]:
            await self._unlock(environment)
        failed = bool(self.report["changed"])
        done: set[str] = set()
        replaced = {step["unless"] for step in self._order["steps"]}
        for step in self._order["steps"]:
            if step["unless"] in done or ((failed or self._stopping.why) and not step["always"]):
                continue
            if not step["always"] and not self._as_expected(step["name"]):
                failed = True
                continue
            if await self._step(command, step):
                done.add(step["name"])
            elif step["name"] in replaced and not step["unless"] and not self._stopping.why:
                self.report["steps"].pop()
            else:
                failed = True

    async def _step(self, command: Command, step: Step) -> bool:
        if step["name"] == _SEED:
            self._encrypt_by_own()
        argv = [*step["argv"]]
        events = None
        if step["host"]:
            argv.append(f"--client=127.0.0.1:{self._port}")
        if step["events"]:
            fifo = _TMP / f"{step['name']}.events"
            events = Events(fifo, _WORKSPACE / f"{step['name']}.events.ndjson", self._scrubber)
            argv.append(f"--event-log={fifo}")
        report = await command.run(step, argv, events)
        self.report["steps"].append(report)
        done = report["exit_code"] == 0
        if done and step["keep"].endswith(".state.json"):
            exported = (_WORKSPACE / step["keep"]).read_bytes()
            self.report["identities"][step["name"]] = self._identity.state_identity(exported)
            self._keep_salt(exported)
        if done and step["keep"] == _VERSION:
            self.report["version"] = update_version((_WORKSPACE / _VERSION).read_bytes())
        if not done and step["name"] == "drift" and any(kind != "same" for kind in report["changes"]):
            self.report["changed"].append("drift")
        return done

    def _encrypt_by_own(self) -> None:
        """A state that came without who encrypts its secrets is given this stack's own passphrase for that."""
        file = _WORKSPACE / _IMPORTED
        exported = json.loads(file.read_bytes())
        salt = self._salt(_PROJECT / self._order["settings"])
        exported["deployment"]["secrets_providers"] = {"type": "passphrase", "state": {"salt": salt}}
        file.write_text(json.dumps(exported))

    def _keep_salt(self, exported: bytes) -> None:
        """A stack whose settings lost their salt goes on with the one that its state was made with."""
        settings = _PROJECT / self._order["settings"]
        if self._salt(settings):
            return
        with contextlib.suppress(KeyError, TypeError, AttributeError):
            salt = json.loads(exported)["deployment"]["secrets_providers"]["state"]["salt"]
            with settings.open("a") as file:
                file.write(f"encryptionsalt: {json.dumps(str(salt))}\n")

    def _salt(self, settings: Path) -> str:
        for line in settings.read_text().splitlines() if settings.exists() else ():
            if line.startswith("encryptionsalt:"):
                return line.partition(":")[2].strip().strip("\"'")
        return ""

    def _as_expected(self, name: str) -> bool:
        for wanted in self._order["expected"]:
            if wanted["before"] != name:
                continue
            if self.report["identities"].get(wanted["file"]) != wanted["identity"]:
                self.report["changed"].append("state")
            elif wanted["version"] is not None and self.report["version"] != wanted["version"]:
                self.report["changed"].append("version")
        return not self.report["changed"]

    async def _unlock(self, environment: Mapping[str, str]) -> None:
        url, stack, owner = (
            environment["PULUMI_BACKEND_URL"],
            *(self._order["unlock"][key] for key in ("stack", "owner")),
        )
        password = self._secrets.get("state-password", "")
        found = await asyncio.to_thread(locks_of, url, password, stack)
        self.report["locks"] = [lock.owner for lock in found]
        if owner and all(lock.owner == owner for lock in found):
            await asyncio.to_thread(release, url, password, found)
        elif owner:
            self.report["changed"].append("lock")

    def _environment(self) -> Mapping[str, str]:
        """Of the CLI, and so of its providers: both are the image's own."""
        relays = {name: value for name, value in _around().items() if name.startswith(_RELAY)}
        told = {name: _placed(value, relays) for name, value in self._order["environment"].items()}
        lines = [
            ":".join(
                _placed(part, relays).replace("\\", "\\\\").replace(":", "\\:")
                for part in (one["host"], one["port"], one["database"], one["role"], self._secrets[one["secret"]])
            )
            for one in self._order["passwords"]
        ]
        _PASSFILE.touch(0o600)
        _PASSFILE.write_text("\n".join(lines) + "\n")
        proxies = {name: value for name, value in _around().items() if name.lower().endswith("_proxy")}
        secret = {
            name.removeprefix(_VARIABLES): value for name, value in self._secrets.items() if name.startswith(_VARIABLES)
        }
        own = {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "HOME": str(_TMP),
            "LANG": "C.UTF-8",
            "PULUMI_HOME": str(_HOME),
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            "PULUMI_IGNORE_AMBIENT_PLUGINS": "true",
            "PULUMI_DEBUG_COMMANDS": "true",
            # The other way in which CLI 3.200 sends states to Pulumi Cloud leaves out operations that have begun: after
            # a crash nobody would know of them (`httpstate/diffs.go`: another field's name, and only from ten on).
            "PULUMI_OPTIMIZED_CHECKPOINT_PATCH": "false",
            "PULUMI_CONFIG_PASSPHRASE_FILE": str(_SECRETS / "passphrase"),
            "PGPASSFILE": str(_PASSFILE),
        }
        return {**told, **secret, **proxies, **own, "NO_PROXY": "127.0.0.1,localhost"}

    async def _finish(self) -> None:
        self.report["stopped"] = self._stopping.why
        self.report["salt"] = self._salt(_PROJECT / self._order["settings"])
        if self._relay is not None:
            self.report["refused"] = self._relay.refused
            self.report["output"] = self._relay.output
            self.report["ran"] = self._relay.ran
            await self._relay.stop()
        if self._policies is not None:
            self.report["refused"] = [*self.report["refused"], *self._policies.refused]
            self.report["output"] = self._policies.clean(self.report["output"])
            await self._policies.stop()
        if self._host is not None:
            await self._host.stop()


def _around() -> Mapping[str, str]:
    """What the run's network told this container."""
    return os.environ  # noqa: TID251 - the container's own, made by the sandbox; no setting of the worker's


def _placed(text: str, relays: Mapping[str, str]) -> str:
    """With the relays' addresses, which are known only when the run's network exists."""
    for name, value in relays.items():
        host, _, port = value.rpartition(":")
        key = name.removeprefix(_RELAY).lower().replace("_", "-")
        text = text.replace(f"{{{key}.host}}", host).replace(f"{{{key}.port}}", port)
    return text


def _read_secrets() -> Mapping[str, str]:
    return {
        str(path.relative_to(_SECRETS)): path.read_text(errors="surrogateescape")
        for path in _SECRETS.rglob("*")
        if path.is_file()
    }


async def main() -> None:
    """Run the order."""
    order = cast("EngineOrder", json.loads((_WORKSPACE / "order.json").read_bytes()))
    run = Run(order)
    try:
        await run.run()
    except Exception as error:
        run.fail(error)
        raise
    finally:
        (_WORKSPACE / "report.json").write_text(json.dumps(run.report))


if __name__ == "__main__":
    asyncio.run(main())
