"""The webhook's secret as Vault has it: a new one counts at once, and Vault is not asked by whoever knocks."""

from collections.abc import Mapping

import pytest
from pydantic import SecretStr

from connectors.errors import NotFound, Unavailable
from hitl.gateway.webhook_secrets import WebhookSecretSource


class Vault:
    """What lies there, and how often it was read."""

    def __init__(self, fields: Mapping[str, str]) -> None:
        self.fields: Mapping[str, str] | Exception = fields
        self.reads, self.now = 0, 0.0

    async def read(self) -> Mapping[str, SecretStr]:
        self.reads += 1
        if isinstance(self.fields, Exception):
            raise self.fields
        return {name: SecretStr(value) for name, value in self.fields.items()}

    def source(self) -> WebhookSecretSource:
        return WebhookSecretSource(self.read, clock=lambda: self.now)


async def test_it_is_read_once_a_minute() -> None:
    vault = Vault({"secret": "one"})
    source = vault.source()
    for at in (0.0, 30.0, 59.0):
        vault.now = at
        assert (await source.current()).secret.get_secret_value() == "one"
    assert vault.reads == 1
    vault.now = 61.0
    await source.current()
    assert vault.reads == 2


async def test_one_that_is_rotated_counts_at_the_first_delivery_that_is_signed_with_it() -> None:
    vault = Vault({"secret": "one"})
    source = vault.source()
    known = await source.current()
    vault.fields, vault.now = {"secret": "two", "previous": "one"}, 3.0
    newer = await source.newer_than(known)
    assert newer is not None
    assert newer.previous is not None
    assert (newer.secret.get_secret_value(), newer.previous.get_secret_value()) == ("two", "one")
    assert await source.current() == newer


async def test_wrong_signatures_have_vault_asked_every_two_seconds_at_most() -> None:
    vault = Vault({"secret": "one"})
    source = vault.source()
    known = await source.current()
    for tenth in range(60):
        vault.now = tenth / 10
        assert await source.newer_than(known) is None
    assert vault.reads <= 4


async def test_while_vault_is_away_what_was_read_lately_counts_and_nothing_after_ten_minutes() -> None:
    vault = Vault({"secret": "one"})
    source = vault.source()
    known = await source.current()
    vault.fields, vault.now = Unavailable("sealed"), 300.0
    assert await source.current() == known
    assert await source.newer_than(known) is None
    vault.now = 700.0
    with pytest.raises(Unavailable, match="Vault does not say now"):
        await source.current()


@pytest.mark.parametrize("there", [{}, {"secret": ""}, NotFound("nothing lies there")])
async def test_where_there_is_none_nothing_is_taken_and_the_log_says_why(there: Mapping[str, str] | Exception) -> None:
    vault = Vault({})
    vault.fields = there
    with pytest.raises(Unavailable, match="Vault holds no webhook secret at github/webhook"):
        await vault.source().current()
