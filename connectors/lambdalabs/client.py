"""Lambda's API, as far as it is needed: one request a second for the account, and one launch in twelve seconds.

Facts: the API's own description, which has neither a key that makes a launch safe to repeat nor a word on refusals of
what comes too fast; those may not even be JSON. What an error means is told by its code alone.
"""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from pydantic import JsonValue, SecretStr

from connectors.errors import (
    AuthDenied,
    Conflict,
    ConnectorError,
    InvalidRequest,
    NotFound,
    OutcomeUnknown,
    QuotaExhausted,
    Unavailable,
)
from connectors.http import Api, Call, Dialect, HeaderAuth, Problem, Session, member
from connectors.lambdalabs.manifest import ACCOUNT_RATE, LAMBDA_LABS, LAUNCH_RATE
from connectors.lambdalabs.models import (
    MARK_TAG,
    FileSystem,
    Image,
    Instance,
    Launch,
    NewSshKey,
    Rename,
    Restart,
    Ruleset,
    SshKey,
    Status,
    Tag,
    Terminate,
    TypeOffer,
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
from connectors.lambdalabs.readiness import FIRST_BOOT
from connectors.limits import Allowance, Rate
from connectors.provider import Secret

NO_CAPACITY: Final = "instance-operations/launch/insufficient-capacity"
"""The code of a refusal that another region, another size or another hour may mend."""

LAUNCH_PATIENCE: Final = timedelta(seconds=14)
"""How long a launch is waited for in the process: for the one before it."""
_PROVIDER: Final = "provider/"
_LONGEST_NAME: Final = 64


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What the account may ask, as far as one process counts it; None: only refusals tell."""

    account: Rate | None = ACCOUNT_RATE
    launches: Rate | None = LAUNCH_RATE


LIMITS: Final = Limits()


def dialect(secret: Secret, limits: Limits = LIMITS) -> Dialect:
    """How Lambda speaks to who calls with this secret."""
    return Dialect(
        provider=LAMBDA_LABS,
        secret=secret,
        problem=_problem,
        meanings={
            NO_CAPACITY: InvalidRequest,
            "global/quota-exceeded": QuotaExhausted,
            "global/object-does-not-exist": NotFound,
            "global/duplicate": Conflict,
            "global/invalid-api-key": AuthDenied,
            "provider/*": Unavailable,
        },
        rate=limits.account,
    )


def _problem(body: JsonValue) -> Problem:
    """`{"error": {"code": …, "message": …}}`."""
    error = member(body, "error")
    return Problem(str(member(error, "code") or ""), str(member(error, "message") or ""))


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """An instance that somebody wants.

    Attributes:
        name: As Lambda's console shows it, 64 characters at most.
        type: As Lambda names it: `gpu_1x_a10`.
        region: As Lambda names it: `us-west-1`.
        ssh_key: The name of the key that opens it.
        user_data: What it does at its first boot.
    """

    name: str
    type: str
    region: str
    ssh_key: str
    user_data: str = field(default=FIRST_BOOT, repr=False)


@dataclass
class LambdaCloud:
    """The account as this process calls it, whichever step does: they share its turns.

    Attributes:
        secret: What it is called with.
        base_url: Where the API is.
        limits: What it may ask.
    """

    secret: Secret
    base_url: str
    limits: Limits = LIMITS
    _api: Api = field(init=False)
    _launches: Allowance = field(init=False)

    def __post_init__(self) -> None:
        """Count from now on."""
        self._api = Api(dialect(self.secret, self.limits), base_url=self.base_url)
        self._launches = Allowance(self.limits.launches)

    @asynccontextmanager
    async def open(self, fields: Mapping[str, SecretStr]) -> AsyncGenerator["Account"]:
        """The account, by a key as Vault keeps it.

        Raises:
            AuthDenied: The secret has no field `key`.
        """
        if "key" not in fields:
            raise AuthDenied(f"Vault's secret {self.secret.path!r} lacks its field 'key': put the API key there")
        header = {"Authorization": f"Bearer {fields['key'].get_secret_value()}"}
        async with self._api.open(HeaderAuth(header)) as session:
            yield Account(session, self._launches)


class Account:
    """One account, for as long as its session lasts. Every method raises errors by the tree.

    Args:
        session: Asks.
        launches: Gives out the turns of launches.
    """

    def __init__(self, session: Session, launches: Allowance) -> None:
        self._session, self._launches = session, launches

    async def types(self) -> list[TypeOffer]:
        """Every size, with its price and where there is capacity now."""
        found = await self._session.ask(Call(LIST_TYPES, "the instance types"))
        return list(found.data.values())

    async def instances(self) -> Sequence[Instance]:
        """All that there are, whoever launched them."""
        return (await self._session.ask(Call(LIST_INSTANCES, "the instances"))).data

    async def marked(self, mark: str) -> list[Instance]:
        """Those that carry a mark and are not gone for good; one that is being terminated is among them."""
        found = [one for one in await self.instances() if one.mark == mark]
        return [one for one in found if one.status != Status.TERMINATED]

    async def launch(self, wanted: Wanted, mark: str) -> str:
        """Launch one with this mark, and tell its id. From now on it costs.

        Raises:
            InvalidRequest: With the code `NO_CAPACITY`: there is none now.
            OutcomeUnknown: It may have been launched.
            ConnectorError: By the tree; nothing was launched.
        """
        what = f"a {wanted.type} in {wanted.region}"
        body = Launch(
            region_name=wanted.region,
            instance_type_name=wanted.type,
            ssh_key_names=(wanted.ssh_key,),
            name=wanted.name[:_LONGEST_NAME],
            user_data=wanted.user_data,
            tags=(Tag(key=MARK_TAG, value=mark),),
        )
        await self._launches.turn(what, patience=LAUNCH_PATIENCE)
        try:
            launched = await self._session.ask(Call(LAUNCH_INSTANCE, what, body=body))
        except Unavailable as error:
            if not error.code.startswith(_PROVIDER):
                raise
            # Its own provider's trouble: whether that came before or after the launch nobody says.
            raise OutcomeUnknown(f"Lambda Labs had trouble with {what}: look whether it is there") from error
        return launched.data.instance_ids[0]

    async def terminate(self, instance_id: str) -> None:
        """Begin to end one, for good; one that is gone is gone."""
        call = Call(
            TERMINATE_INSTANCES, f"the end of the instance {instance_id!r}", body=Terminate(instance_ids=(instance_id,))
        )
        try:
            await self._session.ask(call)
        except NotFound:
            return

    async def restart(self, instance_id: str) -> None:
        """Begin to restart one: what runs on it ends, and its disk stays.

        Raises:
            NotFound: It is gone.
            OutcomeUnknown: It may be restarting.
            ConnectorError: By the tree; it is not.
        """
        what = f"the restart of the instance {instance_id!r}"
        try:
            await self._session.ask(Call(RESTART_INSTANCES, what, body=Restart(instance_ids=(instance_id,))))
        except Unavailable as error:
            if not error.code.startswith(_PROVIDER):
                raise
            raise OutcomeUnknown(f"Lambda Labs had trouble with {what}: look whether it restarts") from error

    async def rename(self, instance_id: str, name: str) -> None:
        """Give one another name, 64 characters at most; the mark in its tag stays.

        Raises:
            NotFound: It is gone.
            ConnectorError: By the tree; safe to repeat.
        """
        what = f"another name for the instance {instance_id!r}"
        await self._session.ask(
            Call(RENAME_INSTANCE, what, path={"instance": instance_id}, body=Rename(name=name[:_LONGEST_NAME]))
        )

    async def ssh_keys(self) -> Sequence[SshKey]:
        """All public keys of the account."""
        return (await self._session.ask(Call(LIST_SSH_KEYS, "the SSH keys"))).data

    async def add_ssh_key(self, name: str, public_key: str) -> SshKey:
        """Add a public key."""
        body = NewSshKey(name=name, public_key=public_key)
        return (await self._session.ask(Call(ADD_SSH_KEY, f"the SSH key {name!r}", body=body))).data

    async def delete_ssh_keys(self, name: str, *, but: str = "") -> None:
        """Delete every key of a name, but for the one with this id; what is gone is gone."""
        for one in [key for key in await self.ssh_keys() if key.name == name and key.id != but]:
            call = Call(DELETE_SSH_KEY, f"the end of the SSH key {name!r}", path={"key": one.id})
            try:
                await self._session.ask(call)
            except (InvalidRequest, NotFound) as error:
                await self._require_gone(one, error)

    async def _require_gone(self, key: SshKey, error: ConnectorError) -> None:
        if any(one.id == key.id for one in await self.ssh_keys()):
            raise error

    async def images(self) -> Sequence[Image]:
        """What instances may boot."""
        return (await self._session.ask(Call(LIST_IMAGES, "the images"))).data

    async def file_systems(self) -> Sequence[FileSystem]:
        """Storage that outlives instances."""
        return (await self._session.ask(Call(LIST_FILE_SYSTEMS, "the file systems"))).data

    async def rulesets(self) -> Sequence[Ruleset]:
        """Sets of firewall rules."""
        return (await self._session.ask(Call(LIST_RULESETS, "the firewall rulesets"))).data
