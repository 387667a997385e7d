"""Redis Cloud's twin: a task for each change, one after the other, and a Valkey server for each database.

Its servers speak no TLS, and it says so, whatever it is asked for.
"""

import secrets
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Final, TypeVar

from pydantic import BaseModel, ConfigDict, Field, JsonValue
from starlette.applications import Starlette
from starlette.requests import Request

from connectors.limits import Rate
from connectors.rediscloud.copy import CopiedSubscription
from connectors.rediscloud.models import ChangedUser, NewDatabase, NewRole, NewRule, NewUser, PricePart
from connectors.rediscloud.operations import (
    CREATE_DATABASE,
    CREATE_ROLE,
    CREATE_RULE,
    CREATE_USER,
    DELETE_DATABASE,
    DELETE_ROLE,
    DELETE_RULE,
    DELETE_USER,
    GET_CERTIFICATE,
    GET_DATABASE,
    GET_PRICING,
    GET_TASK,
    LIST_DATABASES,
    LIST_ROLES,
    LIST_RULES,
    LIST_SUBSCRIPTIONS,
    LIST_USERS,
    UPDATE_RULE,
    UPDATE_USER,
)
from connectors.rediscloud.twin.bodies import (
    Certificate,
    Databases,
    OfSubscription,
    Part,
    Pricing,
    Response,
    Role,
    RoleRule,
    Roles,
    Rule,
    Rules,
    Shown,
    Subscriptions,
    Task,
    TwinSubscription,
    User,
    Users,
)
from connectors.rediscloud.twin.databases import Database, of_copy, serve
from connectors.twins.app import Twin
from connectors.twins.clock import TwinClock
from connectors.twins.handlers import handles
from connectors.twins.problems import Problem, carries

_GB_OF_A_SHARD: Final = 25
_LONGEST_NAME: Final = 40


Kept = TypeVar("Kept", Rule, Role, User)


class _Page(BaseModel):
    offset: Annotated[int, Field(ge=-(2**31), lt=2**31)] = 0
    limit: Annotated[int, Field(ge=-(2**31), lt=2**31)] = 100


class TwinConfig(BaseModel):
    """How the twin is started.

    Attributes:
        listen: host:port.
        api_key: Of the account.
        viewer: The user key that reads.
        owner: The user key that creates.
        destroyer: The owner's user key that deletes; it may do what the other may.
        subscriptions: What the account has.
        copied: What it has besides, as it was copied of another one.
        processing_seconds: So long a task takes.
        provisioning_seconds: So long a database is pending after it.
        most_pending: So many databases may be pending at once.
        per_minute: Requests.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    listen: str = "127.0.0.1:8304"
    api_key: str = Field(repr=False)
    viewer: str = Field(repr=False)
    owner: str = Field(repr=False)
    destroyer: str = Field(repr=False)
    subscriptions: tuple[TwinSubscription, ...] = ()
    copied: tuple[CopiedSubscription, ...] = ()
    processing_seconds: float = 0.2
    provisioning_seconds: float = 2.0
    most_pending: int = 3
    per_minute: int = 400


@dataclass
class _State:
    databases: dict[int, Database] = field(default_factory=dict[int, Database])
    tasks: dict[str, Task] = field(default_factory=dict[str, Task])
    rules: dict[int, Rule] = field(default_factory=dict[int, Rule])
    roles: dict[int, Role] = field(default_factory=dict[int, Role])
    users: dict[int, User] = field(default_factory=dict[int, User])
    passwords: dict[int, str] = field(default_factory=dict[int, str])
    numbers: int = 50
    free_at: float = 0.0

    def number(self) -> int:
        self.numbers += 1
        return self.numbers


class _Failed(Exception):
    """A task ends with this code."""


class _RedisCloud(Twin):
    """The account; `state` is its tests' to look at.

    Args:
        config: How it is.
        clock: Of its tasks.
    """

    def __init__(self, config: TwinConfig, clock: TwinClock | None = None) -> None:
        super().__init__(clock=clock, rates={None: Rate(per_second=config.per_minute / 60, burst=config.per_minute)})
        self._config = config
        self._subscriptions = {one.id: one for one in config.subscriptions}
        self._prices: dict[int, tuple[PricePart, ...]] = {}
        self.state = _State(rules={7: Rule(id=7, name="Full-Access", acl="+@all ~*", is_default=True)})
        for one in config.copied:
            self._subscriptions[one.id] = TwinSubscription(id=one.id, name=one.name, status=one.status)
            self._prices[one.id] = one.prices
            self.state.databases |= {database.id: of_copy(one.id, database) for database in one.databases}
        self.state.numbers = max([self.state.numbers, *self.state.databases])

    def stop(self) -> None:
        """End its servers."""
        for one in self.state.databases.values():
            if one.server is not None:
                one.server.stop()

    def authorise(self, request: Request) -> None:
        keys = self._config
        if not carries(request, "x-api-key", keys.api_key):
            raise Problem(401, "api key is not valid", code="Unauthorized")
        owners = (keys.owner, keys.destroyer)
        if any(carries(request, "x-api-secret-key", one) for one in owners):
            return
        if not carries(request, "x-api-secret-key", keys.viewer):
            raise Problem(401, "secret key is not valid", code="Unauthorized")
        if request.method != "GET":
            raise Problem(403, "a viewer may not do this", code="Forbidden")

    def problem(self, problem: Problem) -> JsonValue:
        return {"status": problem.status, "error": problem.code or str(problem.status), "message": problem.message}

    def limited(self, wait: float) -> Problem:
        del wait  # it does not say
        return Problem(429, "too many requests", code="Too Many Requests", headers={"X-Rate-Limit-Remaining": "0"})

    @handles(LIST_SUBSCRIPTIONS)
    def subscriptions(self) -> Subscriptions:
        return Subscriptions(
            subscriptions=[
                one.model_copy(update={"number_of_databases": len(self._of(one.id))})
                for one in self._subscriptions.values()
            ]
        )

    @handles(GET_PRICING)
    def pricing(self, subscription: str) -> Pricing:
        return self._priced(self._known(subscription))

    @handles(LIST_DATABASES)
    def databases(self, subscription: str, query: _Page) -> Databases:
        known = self._known(subscription)
        listed = self._of(known)[max(query.offset, 0) :][: max(query.limit, 0)]
        if not listed:
            raise Problem(404, "subscription has no databases", code="Not Found")
        shown = [one.shown(password=False) for one in listed]
        part = OfSubscription(subscription_id=known, number_of_databases=len(shown), databases=shown)
        return Databases(subscription=[part])

    @handles(GET_DATABASE)
    async def database(self, subscription: str, database: str) -> Shown:
        found = self._database(subscription, database)
        if found.server is not None and found.status == "active":
            await found.server.ready()
        return found.shown(password=True)

    @handles(GET_CERTIFICATE)
    def certificate(self, subscription: str, database: str) -> Certificate:
        self._database(subscription, database)
        raise Problem(400, "TLS is not enabled", code="Bad Request")

    @handles(CREATE_DATABASE)
    def create_database(self, subscription: str, body: NewDatabase) -> Task:
        known = self._known(subscription)
        if any(one.name == body.name for one in self._of(known)):
            raise Problem(409, "a database of this name is there already", code="Conflict")
        if body.dry_run:
            return self._task("databaseCreateRequest", lambda: Response(resource=self._priced(known, body)))
        pending = [one for one in self.state.databases.values() if one.status == "pending"]
        if len(pending) >= self._config.most_pending:
            raise Problem(429, "too many resources change", code="Too Many Requests")
        return self._task("databaseCreateRequest", lambda: self._create(known, body))

    @handles(DELETE_DATABASE)
    def delete_database(self, subscription: str, database: str) -> Task:
        found = self._database(subscription, database)

        def delete() -> Response:
            if self.state.databases.pop(found.id, None) is None:
                raise _Failed("DATABASE_NOT_FOUND")
            if found.server is not None:
                found.server.stop()
            return Response(resource_id=found.id)

        return self._task("databaseDeleteRequest", delete)

    @handles(GET_TASK)
    def task(self, task: str) -> Task:
        if task not in self.state.tasks:
            raise Problem(404, "task was not found", code="Not Found")
        return self.state.tasks[task]

    @handles(LIST_RULES)
    def rules(self) -> Rules:
        return Rules(redis_rules=list(self.state.rules.values()))

    @handles(CREATE_RULE)
    def create_rule(self, body: NewRule) -> Task:
        def create() -> Response:
            if any(one.name == body.name for one in self.state.rules.values()):
                raise _Failed("ACL_REDIS_RULE_NAME_ALREADY_EXISTS")
            number = self.state.number()
            self.state.rules[number] = Rule(id=number, name=body.name, acl=body.redis_rule)
            return Response(resource_id=number)

        return self._task("aclRedisRuleCreateRequest", create)

    @handles(UPDATE_RULE)
    def update_rule(self, one: str, body: NewRule) -> Task:
        rule = _one(self.state.rules, one)

        def update() -> Response:
            self.state.rules[rule.id] = Rule(id=rule.id, name=body.name, acl=body.redis_rule)
            return Response(resource_id=rule.id)

        return self._task("aclRedisRuleUpdateRequest", update)

    @handles(DELETE_RULE)
    def delete_rule(self, one: str) -> Task:
        rule = _one(self.state.rules, one)

        def delete() -> Response:
            if any(part.rule_name == rule.name for role in self.state.roles.values() for part in role.redis_rules):
                raise _Failed("ACL_REDIS_RULE_CANNOT_BE_DELETED")
            return _gone(self.state.rules, rule.id)

        return self._task("aclRedisRuleDeleteRequest", delete)

    @handles(LIST_ROLES)
    def roles(self) -> Roles:
        return Roles(roles=list(self.state.roles.values()))

    @handles(CREATE_ROLE)
    def create_role(self, body: NewRole) -> Task:
        def create() -> Response:
            if any(one.name == body.name for one in self.state.roles.values()):
                raise _Failed("ACL_ROLE_NAME_ALREADY_EXISTS")
            known = {one.name for one in self.state.rules.values()}
            if any(one.rule_name not in known for one in body.redis_rules):
                raise _Failed("ACL_REDIS_RULE_DOES_NOT_EXISTS")
            number = self.state.number()
            rules = [RoleRule.model_validate(one.model_dump()) for one in body.redis_rules]
            self.state.roles[number] = Role(id=number, name=body.name, redis_rules=rules)
            return Response(resource_id=number)

        return self._task("aclRoleCreateRequest", create)

    @handles(DELETE_ROLE)
    def delete_role(self, one: str) -> Task:
        role = _one(self.state.roles, one)

        def delete() -> Response:
            if any(user.role == role.name for user in self.state.users.values()):
                raise _Failed("ACL_ROLE_CANNOT_BE_DELETED")
            return _gone(self.state.roles, role.id)

        return self._task("aclRoleDeleteRequest", delete)

    @handles(LIST_USERS)
    async def users(self) -> Users:
        for user in [one for one in self.state.users.values() if one.status == "pending"]:
            await self._grant(user)
            self.state.users[user.id] = user.model_copy(update={"status": "active"})
        return Users(users=list(self.state.users.values()))

    @handles(CREATE_USER)
    def create_user(self, body: NewUser) -> Task:
        def create() -> Response:
            if any(one.name == body.name for one in self.state.users.values()):
                raise _Failed("ACL_USER_NAME_ALREADY_EXISTS")
            self._role(body.role)
            number = self.state.number()
            self.state.users[number] = User(id=number, name=body.name, role=body.role, status="pending")
            self.state.passwords[number] = body.password
            return Response(resource_id=number)

        return self._task("aclUserCreateRequest", create)

    @handles(UPDATE_USER)
    def update_user(self, one: str, body: ChangedUser) -> Task:
        user = _one(self.state.users, one)

        def update() -> Response:
            self._role(body.role)
            self.state.users[user.id] = User(id=user.id, name=user.name, role=body.role, status="pending")
            self.state.passwords[user.id] = body.password
            return Response(resource_id=user.id)

        return self._task("aclUserUpdateRequest", update)

    @handles(DELETE_USER)
    def delete_user(self, one: str) -> Task:
        user = _one(self.state.users, one)
        return self._task("aclUserDeleteRequest", lambda: _gone(self.state.users, user.id))

    def _known(self, subscription: str) -> int:
        if not subscription.isdecimal() or int(subscription) not in self._subscriptions:
            raise Problem(404, "subscription was not found", code="Not Found")
        return int(subscription)

    def _of(self, subscription: int) -> list[Database]:
        return [one for one in self.state.databases.values() if one.subscription == subscription]

    def _database(self, subscription: str, database: str) -> Database:
        known = self._known(subscription)
        found = next((one for one in self._of(known) if str(one.id) == database), None)
        if found is None:
            raise Problem(404, "database was not found", code="Not Found")
        return found

    def _role(self, name: str) -> Role:
        role = next((one for one in self.state.roles.values() if one.name == name), None)
        if role is None:
            raise _Failed("ACL_ROLE_DOES_NOT_EXISTS")
        return role

    def _priced(self, subscription: int, more: NewDatabase | None = None) -> Pricing:
        if (told := self._prices.get(subscription)) is not None:
            return self._priced_as_copied(subscription, told, more)
        sizes = [one.size for one in self._of(subscription)] + ([more.dataset_size_in_gb] if more else [])
        shards = sum(1 + int(one // _GB_OF_A_SHARD) for one in sizes)
        return Pricing(pricing=[Part(quantity=shards)] if shards else [])

    def _priced_as_copied(self, subscription: int, told: tuple[PricePart, ...], more: NewDatabase | None) -> Pricing:
        """What it cost when it was copied, and a shard at its own price for each database since."""
        since = [one.size for one in self._of(subscription) if one.copied is None]
        sizes = since + ([more.dataset_size_in_gb] if more else [])
        parts = [Part.model_validate(one.model_dump()) for one in told]
        if shards := sum(1 + int(one // _GB_OF_A_SHARD) for one in sizes):
            like = next((one for one in parts if one.type == "Shards"), Part(quantity=1))
            parts.append(like.model_copy(update={"quantity": shards}))
        return Pricing(pricing=parts)

    def _create(self, subscription: int, body: NewDatabase) -> Response:
        if any(one.name == body.name for one in self._of(subscription)):
            raise _Failed("DATABASE_NAME_EXISTS")
        if len(body.name) > _LONGEST_NAME:
            raise _Failed("DATABASE_NAME_TOO_LONG")
        made = Database(
            subscription=subscription,
            id=self.state.number(),
            name=body.name,
            size=body.dataset_size_in_gb,
            eviction=body.data_eviction_policy,
            password=secrets.token_hex(16),
        )
        self.state.databases[made.id] = made
        self.clock.after(self._config.provisioning_seconds, lambda: serve(made))
        return Response(resource_id=made.id)

    def _task(self, command: str, change: Callable[[], Response]) -> Task:
        """A task that is processed after all that were asked for before it."""
        number = str(uuid.uuid4())
        told = Task(task_id=number, command_type=command, status="received", description="Task request received")
        self.state.tasks[number] = told
        begins = max(self.clock(), self.state.free_at)
        self.state.free_at = begins + self._config.processing_seconds

        def process() -> None:
            try:
                response, status = change(), "processing-completed"
            except _Failed as error:
                response, status = Response(error=str(error)), "processing-error"
            ended = {"status": status, "description": "Processed", "response": response}
            self.state.tasks[number] = told.model_copy(update=ended)

        self.clock.after(self.state.free_at - self.clock(), process)
        return told

    async def _grant(self, user: User) -> None:
        """Say to the servers who may do what."""
        word, acl = self.state.passwords[user.id], {one.name: one.acl for one in self.state.rules.values()}
        for part in self._role(user.role).redis_rules:
            for place in part.databases:
                there = self.state.databases.get(place.database_id)
                if there is None or there.server is None:
                    continue
                await there.server.ready()
                rights = acl[part.rule_name].split()
                await there.server.run("ACL", "SETUSER", user.name, "reset", "on", f">{word}", *rights)


def _one(kept: dict[int, Kept], number: str) -> Kept:
    if not number.isdecimal() or int(number) not in kept:
        raise Problem(404, "it was not found", code="Not Found")
    return kept[int(number)]


def _gone(kept: dict[int, Kept], number: int) -> Response:
    if kept.pop(number, None) is None:
        raise _Failed("NOT_FOUND")
    return Response(resource_id=number)


def create_twin(config: TwinConfig, *, clock: TwinClock | None = None) -> Starlette:
    """The twin as an application, with its faults in front."""
    return _RedisCloud(config, clock).application()
