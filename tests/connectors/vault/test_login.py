"""The login with a wrapped secret id, and every way somebody else may have had it."""

import logging

import pytest
from prometheus_client import REGISTRY
from pydantic import SecretStr

from connectors.errors import AuthDenied, ConnectorError, InvalidRequest, NotFound
from connectors.vault import Deliverer, SecretIdAlarm, VaultSession, WrappedSecretId
from tests.connectors.vault.server import House


def alarms() -> float:
    return REGISTRY.get_sample_value("banksman_vault_alarms_total") or 0.0


async def test_logs_in_with_a_periodic_token(house: House) -> None:
    session = await house.login("goals")
    assert 3500 < session.ttl_seconds <= 3600
    assert set(await session.read("payload-keys")) >= {"current"}
    await session.close()
    assert session.ttl_seconds == 0


async def test_a_wrapped_secret_id_that_was_opened_before_is_an_alarm(house: House) -> None:
    wrapped = await house.mint("goals")
    await house.login("goals", wrapped)
    before = alarms()
    with pytest.raises(SecretIdAlarm, match="goals"):
        await house.login("goals", wrapped)
    assert alarms() == before + 1


async def test_a_wrapping_token_of_another_path_is_an_alarm_and_stays_unopened(house: House) -> None:
    wrapped = await house.mint("connectors")
    before = alarms()
    with pytest.raises(SecretIdAlarm, match="auth/approle/role/connectors/secret-id"):
        await VaultSession.login(
            address=house.server.address, role="goals", role_id=house.result.role_ids["goals"], wrapped=wrapped
        )
    assert alarms() == before + 1
    await house.login("connectors", wrapped)


async def test_a_forged_wrapping_token_is_an_alarm(house: House) -> None:
    with pytest.raises(SecretIdAlarm):
        await house.login("goals", WrappedSecretId(token=SecretStr("s.forged")))


async def test_a_secret_id_wrapped_around_other_data_is_an_alarm(house: House) -> None:
    made = house.server.admin_wrapped("sys/wrapping/wrap", {"secret_id": "mine"})
    with pytest.raises(SecretIdAlarm, match="sys/wrapping/wrap"):
        await house.login("goals", WrappedSecretId(token=made))


async def test_the_role_id_of_another_role_is_refused(house: House) -> None:
    wrapped = await house.mint("goals")
    with pytest.raises(InvalidRequest):
        await VaultSession.login(
            address=house.server.address, role="goals", role_id=house.result.role_ids["connectors"], wrapped=wrapped
        )


READABLE = {
    ("goals", "payload-keys"): True,
    ("goals", "github/app"): False,
    ("connectors", "payload-keys"): True,
    ("connectors", "github/app"): False,
    ("sandbox", "payload-keys"): True,
    ("sandbox", "github/app"): False,
    ("destructive", "payload-keys"): True,
    ("destructive", "github/app"): False,
    ("destructive", "github/destructive-app"): False,
    ("connectors", "github/destructive-app"): False,
    ("sandbox", "github/destructive-app"): False,
    ("goals", "github/destructive-app"): False,
    ("gateway", "payload-keys"): True,
    ("gateway", "slack/app"): True,
    ("gateway", "github/app"): False,
    ("models", "payload-keys"): True,
    ("models", "github/app"): False,
    ("models", "github/destructive-app"): False,
    ("models", "models/lab"): False,
    ("connectors", "models/lab"): False,
    ("goals", "models/lab"): False,
    ("destructive", "models/lab"): False,
    ("sandbox", "models/lab"): False,
    ("gateway", "models/lab"): False,
    ("gateway", "github/destructive-app"): False,
    ("goals", "slack/app"): False,
    ("connectors", "slack/app"): False,
    ("sandbox", "slack/app"): False,
    ("destructive", "slack/app"): False,
    ("codec", "slack/app"): False,
    ("codec", "payload-keys"): True,
    ("codec", "github/app"): False,
}


@pytest.mark.parametrize(("role", "path"), list(READABLE))
async def test_each_role_reads_only_what_is_its_own(house: House, role: str, path: str) -> None:
    session = await house.login(role)
    if READABLE[role, path]:
        assert await session.read(path)
    else:
        with pytest.raises(AuthDenied):
            await session.read(path)
    with pytest.raises(AuthDenied):
        await session.read("nobody/put/this/here")


async def test_the_deliverer_can_do_nothing_but_mint_briefly_wrapped_secret_ids(house: House) -> None:
    address, token = house.server.address, house.result.deliverer_token
    path = "auth/approle/role/goals/secret-id"
    assert house.server.status("POST", path, token, wrap="60s") == 200
    assert house.server.status("POST", path, token) in {400, 403}
    assert house.server.status("POST", path, token, wrap="3600s") in {400, 403}
    for method, forbidden in (
        ("GET", "banksman/data/github/app"),
        ("GET", "banksman/data/payload-keys"),
        ("GET", "auth/approle/role/goals"),
        ("POST", "auth/approle/role/goals"),
        ("POST", "auth/token/create/github-read"),
        ("POST", "auth/token/create"),
        ("GET", "sys/mounts"),
    ):
        assert house.server.status(method, forbidden, token, wrap="60s") == 403, forbidden
    deliverer = Deliverer(address=address, token=token)
    with pytest.raises(ConnectorError):
        await deliverer.mint("nosuchrole")
    deliverer.close()


async def test_the_deliverer_mints_for_no_approle_but_ours(house: House) -> None:
    house.server.admin("POST", "auth/approle/role/payroll", {"token_policies": "root-of-others"})
    path = "auth/approle/role/payroll/secret-id"
    assert house.server.status("POST", path, house.result.deliverer_token, wrap="60s") == 403


async def test_no_secret_is_shown_by_objects_errors_or_logs(house: House, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    wrapped = await house.mint("goals")
    session = await house.login("goals", wrapped)
    with pytest.raises(SecretIdAlarm) as alarm:
        await house.login("goals", wrapped)
    with pytest.raises((AuthDenied, NotFound)) as denied:
        await session.read("github/app")
    shown = f"{wrapped!r} {wrapped} {session!r} {vars(alarm.value)} {alarm.value!r} {denied.value!r} {caplog.text}"
    causes = f"{alarm.value.__cause__!r} {denied.value.__cause__!r}"
    token = session._token
    for secret in (wrapped.token, token, house.result.deliverer_token, house.server.root):
        assert secret.get_secret_value() not in shown + causes
