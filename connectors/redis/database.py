"""The data plane: a connection to one database as one user, for the moment of a step.

Nothing is tried again here. A password goes over TLS alone, unless the database is on this very machine.
"""

import ipaddress
import secrets
import ssl
from collections.abc import AsyncGenerator, Awaitable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, Self, cast

from pydantic import BaseModel, ConfigDict, SecretStr
from redis.asyncio import Connection, ConnectionPool, Redis, SSLConnection
from redis.exceptions import AuthenticationError, NoPermissionError, RedisError, ResponseError
from redis.exceptions import ConnectionError as NoConnection
from redis.exceptions import TimeoutError as NoAnswer

from connectors.errors import AuthDenied, Conflict, InvalidRequest, MalformedAnswer, Unavailable
from connectors.redis.rights import Access

_TIMEOUT: Final = 5.0
_PROBE: Final = "banksman-probe"
_PROBE_LIVES: Final = 5
_DEFAULT: Final = "default"
_LONGEST_REFUSAL: Final = 300


class Place(BaseModel):
    """Where a database listens.

    Attributes:
        host: Its name or address.
        port: Of Redis's own protocol.
        tls: Whether it takes encrypted connections alone.
        ca: The certificate that its own is signed with, as PEM, where no public authority signed it.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    host: str
    port: int
    tls: bool
    ca: str = ""


@dataclass(frozen=True, kw_only=True)
class Login:
    """Who connects to where.

    Attributes:
        place: The database.
        user: `default`, or a consumer's.
        password: Of that user.
    """

    place: Place
    user: str = _DEFAULT
    password: SecretStr

    def fields(self) -> Mapping[str, SecretStr]:
        """As Vault keeps it, and as a consumer reads it there."""
        told = {"host": self.place.host, "port": str(self.place.port), "tls": str(self.place.tls).lower()}
        told |= {"username": self.user} | ({"ca": self.place.ca} if self.place.ca else {})
        return {**{name: SecretStr(value) for name, value in told.items()}, "password": self.password}

    @classmethod
    def of(cls, fields: Mapping[str, SecretStr], *, path: str) -> Self:
        """The same, read from Vault.

        Args:
            fields: As `fields` made them.
            path: Where they lie, for the message.

        Raises:
            AuthDenied: Something is missing.
        """
        told = {name: value.get_secret_value() for name, value in fields.items()}
        try:
            port, tls = int(told["port"]), {"true": True, "false": False}[told["tls"]]
            place = Place(host=told["host"], port=port, tls=tls, ca=told.get("ca", ""))
            return cls(place=place, user=told["username"], password=SecretStr(told["password"]))
        except (KeyError, ValueError):
            raise AuthDenied(f"Vault's secret {path!r} is no login of a database: provision it again") from None


def new_password() -> SecretStr:
    """48 hexadecimal digits: they need no quoting anywhere."""
    return SecretStr(secrets.token_hex(24))


async def ping(login: Login) -> None:
    """See that the database answers to this user.

    Raises:
        ConnectorError: It does not.
    """
    async with _connected(login) as redis:
        await cast("Awaitable[object]", redis.ping())


async def run(login: Login, *words: str) -> object:
    """What the database answers to one command of this user.

    Raises:
        AuthDenied: It may not do that.
        InvalidRequest: The database does not take it.
        ConnectorError: By the tree.
    """
    async with _connected(login) as redis:
        try:
            return await cast("Awaitable[object]", redis.execute_command(*words))
        except NoPermissionError:
            raise
        except ResponseError as error:
            refused = f"the database does not take {_shown(words[:1])!r}: {error}"
    raise InvalidRequest(refused[:_LONGEST_REFUSAL])


async def set_user(admin: Login, *, user: str, password: SecretStr, rule: str) -> None:
    """See that there is a user with this password and these rights alone, whoever there was by this name before.

    Args:
        admin: Who may say so.
        user: The consumer.
        password: Its new one.
        rule: As `rights.rule` writes it.

    Raises:
        InvalidRequest: The database takes no such user.
        ConnectorError: By the tree; to do it again does no harm.
    """
    async with _connected(admin) as redis:
        said = ["ACL", "SETUSER", user, "reset", "on", f">{password.get_secret_value()}", *rule.split()]
        try:
            await cast("Awaitable[object]", redis.execute_command(*said))
        except NoPermissionError:
            raise
        except ResponseError:
            # Its words quote what it was sent, and with it the password.
            refused = f"the database does not take a user {user!r} with the rights {rule!r}"
        else:
            return
    raise InvalidRequest(refused)


async def check_rights(login: Login, *, prefix: str, access: Access) -> None:
    """See what a consumer can do, and that it can do nothing else. Leaves nothing behind for longer than a moment.

    What it must not be able to do is tried by commands that would do no harm.

    Args:
        login: The consumer.
        prefix: The beginning of its keys.
        access: What it was given.

    Raises:
        Conflict: It can do more, or less.
        ConnectorError: By the tree.
    """
    async with _connected(login) as redis:
        own, other = f"{prefix}{_PROBE}", f"{_PROBE}-{prefix}"
        writes = ("SET", own, "1", "EX", str(_PROBE_LIVES))
        allowed: list[tuple[str, ...]] = [("PING",), ("GET", own)]
        refused: list[tuple[str, ...]] = [
            ("GET", other),
            ("CONFIG", "GET", "maxmemory"),
            ("ACL", "LIST"),
            ("SCAN", "0"),
        ]
        refused.append(("SET", other, "1", "EX", "1"))
        (allowed if access is Access.WRITE else refused).append(writes)
        for command in allowed:
            if not await _may(redis, command):
                raise Conflict(f"the user {login.user!r} may not {_shown(command)}, and should: provision it again")
        for command in refused:
            if await _may(redis, command):
                raise Conflict(f"the user {login.user!r} may {_shown(command)}, and should not: take its rights away")


async def _may(redis: Redis, command: tuple[str, ...]) -> bool:
    try:
        await cast("Awaitable[object]", redis.execute_command(*command))
    except NoPermissionError:
        return False
    except ResponseError as error:
        # Servers word it differently: Upstash has no subclass for it.
        if str(error).startswith(("NOPERM", "ERR unknown command", "unknown command")):
            return False
        raise
    return True


def _shown(command: tuple[str, ...]) -> str:
    return " ".join(command[:2])


@asynccontextmanager
async def _connected(login: Login) -> AsyncGenerator[Redis]:
    place = login.place
    if not place.tls and not _on_this_machine(place.host):
        raise InvalidRequest(
            f"the database at {place.host}:{place.port} takes no encrypted connections, and its password would be "
            "read on the way: enable TLS at its provider"
        )
    pool = ConnectionPool(connection_class=SSLConnection if place.tls else Connection, **_options(login))
    redis: Redis = Redis(connection_pool=pool)
    where = f"the database at {place.host}:{place.port}"
    try:
        yield redis
    except AuthenticationError as error:
        raise AuthDenied(f"{where} refuses the password of the user {login.user!r}: provision it again") from error
    except NoPermissionError as error:
        raise AuthDenied(f"{where} does not allow the user {login.user!r} what it is asked") from error
    except (NoConnection, NoAnswer, OSError) as error:
        raise Unavailable(f"{where} does not answer ({type(error).__name__}); it is tried again") from error
    except RedisError as error:
        raise MalformedAnswer(f"{where} answers {type(error).__name__}; it is tried again") from error
    finally:
        await redis.aclose()
        await pool.disconnect()


def _options(login: Login) -> dict[str, Any]:
    options: dict[str, Any] = {
        "host": login.place.host,
        "port": login.place.port,
        "username": login.user,
        "password": login.password.get_secret_value(),
        "socket_timeout": _TIMEOUT,
        "socket_connect_timeout": _TIMEOUT,
        "decode_responses": True,
        "retry": None,
    }
    if login.place.tls:
        options |= {"ssl_cert_reqs": ssl.CERT_REQUIRED, "ssl_check_hostname": True}
        options |= {"ssl_ca_data": login.place.ca} if login.place.ca else {}
    return options


def _on_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
