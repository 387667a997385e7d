"""Connections to a real Valkey server, and what its users can do."""

from collections.abc import AsyncGenerator

import pytest
from pydantic import SecretStr

from connectors.errors import AuthDenied, Conflict, InvalidRequest, Unavailable
from connectors.redis.database import Login, Place, check_rights, new_password, ping, set_user
from connectors.redis.rights import Access, rule
from connectors.twins.valkey import HOST, Valkey

ADMIN = SecretStr("admin-password-canary")
CONSUMER = SecretStr("consumer-password-canary")


@pytest.fixture
async def server() -> AsyncGenerator[Valkey]:
    valkey = Valkey(ADMIN)
    try:
        await valkey.ready()
        yield valkey
    finally:
        valkey.stop()


def login(server: Valkey, user: str = "default", password: SecretStr = ADMIN) -> Login:
    return Login(place=Place(host=HOST, port=server.port, tls=False), user=user, password=password)


@pytest.mark.parametrize("access", list(Access))
async def test_a_consumer_does_what_it_should_and_nothing_else(server: Valkey, access: Access) -> None:
    await set_user(login(server), user="web", password=CONSUMER, rule=rule("web:", access))
    web = login(server, "web", CONSUMER)
    await ping(web)
    await check_rights(web, prefix="web:", access=access)
    assert await server.run("DBSIZE") in {0, 1}


@pytest.mark.parametrize(
    ("wider", "told"),
    [
        ("+@all ~*", "may GET banksman-probe-web:, and should not"),
        ("+@read +@write +@connection -@dangerous ~web:* -randomkey", "may SCAN 0, and should not"),
        ("+@read +@write +@connection +config ~web:* -scan", "may CONFIG GET, and should not"),
    ],
)
async def test_rights_that_are_wider_are_noticed(server: Valkey, wider: str, told: str) -> None:
    await set_user(login(server), user="web", password=CONSUMER, rule=wider)
    with pytest.raises(Conflict, match=told):
        await check_rights(login(server, "web", CONSUMER), prefix="web:", access=Access.WRITE)


async def test_rights_that_are_narrower_are_noticed(server: Valkey) -> None:
    await set_user(login(server), user="web", password=CONSUMER, rule=rule("web:", Access.READ))
    with pytest.raises(Conflict, match="may not SET web:banksman-probe, and should"):
        await check_rights(login(server, "web", CONSUMER), prefix="web:", access=Access.WRITE)


async def test_a_reader_that_can_write_is_noticed(server: Valkey) -> None:
    await set_user(login(server), user="web", password=CONSUMER, rule=rule("web:", Access.WRITE))
    with pytest.raises(Conflict, match="may SET web:banksman-probe, and should not"):
        await check_rights(login(server, "web", CONSUMER), prefix="web:", access=Access.READ)


async def test_a_user_is_set_anew_whatever_it_was(server: Valkey) -> None:
    await set_user(login(server), user="web", password=CONSUMER, rule="+@all ~*")
    later = new_password()
    await set_user(login(server), user="web", password=later, rule=rule("web:", Access.WRITE))
    await check_rights(login(server, "web", later), prefix="web:", access=Access.WRITE)
    with pytest.raises(AuthDenied, match="refuses the password of the user 'web'"):
        await ping(login(server, "web", CONSUMER))


async def test_a_refusal_quotes_no_password(server: Valkey) -> None:
    with pytest.raises(InvalidRequest, match="does not take a user") as told:
        await set_user(login(server), user="web", password=CONSUMER, rule="+@nonsense")
    assert CONSUMER.get_secret_value() not in f"{told.value} {told.value.__context__} {told.value.__cause__}"


async def test_a_user_that_may_set_no_users_is_told(server: Valkey) -> None:
    await set_user(login(server), user="web", password=CONSUMER, rule=rule("web:", Access.WRITE))
    with pytest.raises(AuthDenied, match="does not allow the user 'web'"):
        await set_user(login(server, "web", CONSUMER), user="other", password=CONSUMER, rule="+@all ~*")


async def test_a_server_that_is_gone_is_unavailable(server: Valkey) -> None:
    server.stop()
    with pytest.raises(Unavailable, match="does not answer"):
        await ping(login(server))


async def test_no_password_is_sent_without_tls_to_another_machine() -> None:
    with pytest.raises(InvalidRequest, match="takes no encrypted connections"):
        await ping(Login(place=Place(host="192.0.2.1", port=6379, tls=False), password=ADMIN))


def test_a_login_is_read_as_it_was_written() -> None:
    given = Login(place=Place(host="h", port=1, tls=True, ca="PEM"), user="web", password=CONSUMER)
    assert Login.of(given.fields(), path="upstash/databases/a/web") == given
    assert CONSUMER.get_secret_value() not in repr(given)
    with pytest.raises(AuthDenied, match="'upstash/databases/a/web' is no login"):
        Login.of({"host": SecretStr("h")}, path="upstash/databases/a/web")
