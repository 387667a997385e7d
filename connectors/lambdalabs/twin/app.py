"""Lambda's twin: one account, with instances that boot by its clock, and answer by themselves once they have.

Terminated instances are gone from its lists after some seconds, as the description has it, and their capacity is free.
"""

import secrets
import uuid
from collections import Counter, defaultdict
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

from pydantic import JsonValue
from starlette.applications import Starlette
from starlette.requests import Request

from connectors.lambdalabs.client import NO_CAPACITY
from connectors.lambdalabs.models import (
    Data,
    Launched,
    NewSshKey,
    Nothing,
    Rename,
    Restart,
    SshKey,
    Status,
    Terminate,
)
from connectors.lambdalabs.operations import (
    ADD_SSH_KEY,
    DELETE_SSH_KEY,
    LAUNCH_INSTANCE,
    LIST_FILE_SYSTEMS,
    LIST_IMAGES,
    LIST_INSTANCES,
    LIST_RULESETS,
    LIST_SSH_KEYS,
    LIST_TYPES,
    RENAME_INSTANCE,
    RESTART_INSTANCES,
    TERMINATE_INSTANCES,
)
from connectors.lambdalabs.twin.machines import Machines
from connectors.lambdalabs.twin.serving import ServingMachines
from connectors.lambdalabs.twin.shapes import (
    REGIONS,
    SeededType,
    TwinAction,
    TwinActions,
    TwinConfig,
    TwinFileSystem,
    TwinImage,
    TwinInstance,
    TwinLaunch,
    TwinOffer,
    TwinRegion,
    TwinRestarted,
    TwinRuleset,
    TwinTerminated,
)
from connectors.limits import Rate
from connectors.twins.app import Rates, Twin
from connectors.twins.clock import TwinClock
from connectors.twins.handlers import handles
from connectors.twins.problems import Problem, bearer, carries

__all__ = ["TwinConfig", "create_twin"]

_SUGGESTIONS: Final = {
    "global/invalid-api-key": "Check your API key or create a new one, then try again.",
    "global/quota-exceeded": "Contact Support to increase your quota.",
    "global/object-does-not-exist": "Check what you asked for, then try again.",
}
_INVALID: Final = "global/invalid-parameters"
_COUNTS_GPUS: Final = "banksman-gpus"
_MOST_NAME: Final = 64
_ENDING: Final = frozenset({Status.TERMINATING, Status.TERMINATED})


def _codes(status: int) -> str:
    return {401: "global/invalid-api-key", 404: "global/object-does-not-exist"}.get(status, _INVALID)


class _Lambda(Twin):
    """The twin.

    Attributes:
        keys: API keys that it takes now; a test revokes one.
        instances: By id.
        restarts: How often each was restarted, by its id.
        ssh_keys: By id.
        capacity: How many instances of a type can be launched in a region.
    """

    def __init__(self, config: TwinConfig, clock: TwinClock | None = None) -> None:
        super().__init__(clock=clock, rates=_rates(config))
        self._config = config
        self._machines, self._serving = Machines(), ServingMachines(config.model_port)
        self.keys = set(config.keys)
        self.types = {one.name: one for one in config.types}
        self.instances: dict[str, TwinInstance] = {}
        self.restarts: Counter[str] = Counter()
        self._user_data: dict[str, str] = {}
        self.ssh_keys: dict[str, SshKey] = {}
        self.capacity: defaultdict[tuple[str, str], int] = defaultdict(int)
        for one in config.types:
            self.capacity |= {(one.name, region): count for region, count in one.capacity.items()}
            for region, seconds in one.arrives_in.items():
                self.clock.after(seconds, lambda where=(one.name, region): self._arrives(where))

    def close(self) -> None:
        self._machines.close()
        self._serving.close()

    def authorise(self, request: Request) -> str:
        found = [one for one in self.keys if carries(request, "authorization", bearer(one))]
        if not found:
            raise Problem(401, "API key was invalid, expired, or deleted.")
        return found[0]

    def problem(self, problem: Problem) -> JsonValue:
        code = problem.code or _codes(problem.status)
        told: dict[str, JsonValue] = {"code": code, "message": problem.message}
        return {"error": told | {"suggestion": _SUGGESTIONS.get(code, "Try again later.")}}

    def limited(self, wait: float) -> Problem:
        """Without a word on how long: none is documented."""
        del wait
        return Problem(429, "Too many requests", code="global/too-many-requests")

    @handles(LIST_TYPES)
    def list_types(self) -> Data[dict[str, TwinOffer]]:
        offers = {
            one.name: TwinOffer(
                instance_type=one.type(),
                regions_with_capacity_available=tuple(
                    TwinRegion.of(region) for region in REGIONS if self.capacity[one.name, region] > 0
                ),
            )
            for one in self.types.values()
        }
        return Data(data=offers)

    @handles(LIST_INSTANCES)
    def list_instances(self) -> Data[tuple[TwinInstance, ...]]:
        return Data(data=tuple(self.instances.values()))

    @handles(LAUNCH_INSTANCE)
    def launch(self, body: TwinLaunch) -> Data[Launched]:
        wanted = self._launchable(body)
        where = (wanted.name, body.region_name)
        if len(self.instances) >= self._config.most_instances:
            raise Problem(400, "Quota exceeded.", code="global/quota-exceeded")
        if self.capacity[where] <= 0:
            raise Problem(400, "Not enough capacity to fulfill launch request.", code=NO_CAPACITY)
        self.capacity[where] -= 1
        made = TwinInstance(
            id=uuid.uuid4().hex,
            name=body.name,
            status=Status.BOOTING,
            region=TwinRegion.of(body.region_name),
            instance_type=wanted.type(),
            ssh_key_names=body.ssh_key_names,
            tags=body.tags,
            actions=_actions(running=False),
        )
        self.instances[made.id] = made
        self._user_data[made.id] = body.user_data
        self.clock.after(self._config.boots_in, lambda: self._boots(made.id, wanted, body.user_data))
        return Data(data=Launched(instance_ids=(made.id,)))

    def _launchable(self, body: TwinLaunch) -> SeededType:
        wanted = self.types.get(body.instance_type_name)
        names = {one.name for one in self.ssh_keys.values()}
        if wanted is None or body.region_name not in REGIONS:
            raise Problem(400, "Invalid instance type or region.", code=_INVALID)
        if len(body.ssh_key_names) != 1 or len(body.name) > _MOST_NAME:
            raise Problem(400, "Exactly one SSH key is needed, and a name of 64 characters.", code=_INVALID)
        if body.ssh_key_names[0] not in names:
            raise Problem(400, "SSH key does not exist.", code="global/object-does-not-exist")
        return wanted

    def _boots(self, instance: str, wanted: SeededType, user_data: str) -> None:
        found = self.instances.get(instance)
        if found is None or found.status != Status.BOOTING:
            return
        if wanted.defect == "unhealthy":
            self._change(instance, status=Status.UNHEALTHY)
            return
        answers_at = self.clock() + self._config.answers_in
        gpus = 0 if wanted.defect == "no_gpus" else wanted.gpus

        def greeting() -> str | None:
            if wanted.defect == "silent":
                return None
            counted = _COUNTS_GPUS in user_data and self.clock() >= answers_at
            return f"{_COUNTS_GPUS}-{gpus}" if counted else ""

        token = secrets.token_hex(16)
        self._change(
            instance,
            status=Status.ACTIVE,
            ip=self._machines.start(instance, greeting),
            actions=_actions(running=True),
            jupyter_token=token,
            jupyter_url=f"https://jupyter.example.com/?token={token}",
        )
        self._serving.start(instance, user_data)

    @handles(RESTART_INSTANCES)
    def restart(self, body: Restart) -> Data[TwinRestarted]:
        for instance in [self._instance(one) for one in dict.fromkeys(body.instance_ids)]:
            if not instance.actions.restart.available:
                raise Problem(400, "The instance cannot be restarted now.", code=_INVALID)
            self.restarts[instance.id] += 1
            self._machines.stop(instance.id)
            self._serving.stop(instance.id)
            self._change(instance.id, status=Status.BOOTING, actions=_actions(running=False))
            wanted, user_data = self.types[instance.instance_type.name], self._user_data[instance.id]
            self.clock.after(
                self._config.boots_in, lambda one=instance.id, size=wanted, data=user_data: self._boots(one, size, data)
            )
        return Data(data=TwinRestarted(restarted_instances=tuple(self.instances[one] for one in body.instance_ids)))

    @handles(RENAME_INSTANCE)
    def rename(self, instance: str, body: Rename) -> Data[TwinInstance]:
        if len(body.name) > _MOST_NAME:
            raise Problem(400, "Invalid request data.", code=_INVALID)
        self._change(self._instance(instance).id, name=body.name)
        return Data(data=self.instances[instance])

    @handles(TERMINATE_INSTANCES)
    def terminate(self, body: Terminate) -> Data[TwinTerminated]:
        for instance in [self._instance(one).id for one in dict.fromkeys(body.instance_ids)]:
            if self.instances[instance].status not in _ENDING:
                self._change(instance, status=Status.TERMINATING, actions=_actions(running=False))
                self._machines.stop(instance)
                self._serving.stop(instance)
                self.clock.after(self._config.ends_in, lambda ended=instance: self._gone(ended))
        return Data(data=TwinTerminated(terminated_instances=tuple(self.instances[one] for one in body.instance_ids)))

    def _gone(self, instance: str) -> None:
        if (found := self.instances.pop(instance, None)) is not None:
            self._arrives((found.instance_type.name, found.region.name))

    def _arrives(self, where: tuple[str, str]) -> None:
        self.capacity[where] += 1

    @handles(LIST_SSH_KEYS)
    def list_ssh_keys(self) -> Data[tuple[SshKey, ...]]:
        return Data(data=tuple(self.ssh_keys.values()))

    @handles(ADD_SSH_KEY)
    def add_ssh_key(self, body: NewSshKey) -> Data[SshKey]:
        if not 0 < len(body.name) <= _MOST_NAME or not body.public_key.startswith(("ssh-", "ecdsa-")):
            raise Problem(400, "Invalid request data.", code=_INVALID)
        made = SshKey(id=uuid.uuid4().hex, name=body.name, public_key=body.public_key)
        self.ssh_keys[made.id] = made
        return Data(data=made)

    @handles(DELETE_SSH_KEY)
    def delete_ssh_key(self, key: str) -> Data[Nothing]:
        if self.ssh_keys.pop(key, None) is None:
            raise Problem(400, "Invalid request data.", code=_INVALID)
        return Data(data=Nothing())

    @handles(LIST_IMAGES)
    def list_images(self) -> Data[tuple[TwinImage, ...]]:
        named = [
            TwinImage(
                id=f"image-{region}", name="Lambda Stack 22.04", family="lambda-stack-22-04", architecture="x86_64",
                region=TwinRegion.of(region),
            )
            for region in REGIONS
        ]  # fmt: skip
        return Data(data=tuple(named))

    @handles(LIST_FILE_SYSTEMS)
    def list_file_systems(self) -> Data[tuple[TwinFileSystem, ...]]:
        held = TwinFileSystem(
            id="fs-1", name="datasets", region=TwinRegion.of(REGIONS[0]), is_in_use=False, bytes_used=0
        )
        return Data(data=(held,))

    @handles(LIST_RULESETS)
    def list_rulesets(self) -> Data[tuple[TwinRuleset, ...]]:
        return Data(data=(TwinRuleset(id="fw-1", name="ssh only", region=TwinRegion.of(REGIONS[0])),))

    def _instance(self, instance: str) -> TwinInstance:
        if (found := self.instances.get(instance)) is None:
            raise Problem(404, "Specified instance does not exist.", code="global/object-does-not-exist")
        return found

    def _change(self, instance: str, **changes: object) -> None:
        self.instances[instance] = self.instances[instance].model_copy(update=changes)


def _actions(*, running: bool) -> TwinActions:
    now = TwinAction(available=running)
    return TwinActions(restart=now, cold_reboot=now, terminate=now)


def _rates(config: TwinConfig) -> Rates:
    rates: Rates = {}
    if config.per_second:
        rates = {**rates, None: Rate(per_second=config.per_second)}
    if config.launch_every:
        rates = {**rates, LAUNCH_INSTANCE: Rate(per_second=1 / config.launch_every)}
    return rates


def create_twin(config: TwinConfig, *, clock: TwinClock | None = None) -> Starlette:
    """The twin as an application, with its faults in front. Its machines end with it."""
    twin = _Lambda(config, clock)
    app = twin.application()

    @asynccontextmanager
    async def life(_app: Starlette) -> AsyncGenerator[None]:
        yield
        twin.close()

    app.router.lifespan_context = life
    return app
