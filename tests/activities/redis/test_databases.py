"""The steps on Redis databases, for both providers: what each attempt does after what the one before may have done."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import JsonValue

from activities.guard.current_attempt import NotCurrent
from activities.guard.granted import GrantedRequest
from activities.redis.contracts import (
    AccessGranted,
    CheckAccessRequest,
    DatabaseMade,
    DatabaseRequest,
    DeleteDatabaseParameters,
    ForgetLoginsRequest,
    GrantAccessRequest,
    LookAtDatabaseRequest,
    PurchaseDatabaseParameters,
)
from activities.step import Step
from connectors.creation import mark
from connectors.errors import AuthDenied, Conflict, InvalidRequest, NotFound, Unavailable
from connectors.redis.cloud import marked
from connectors.redis.rights import Access
from hitl.protocol import PolicyContext
from tests.activities.guard.attempts import Records, Waited, admitted
from tests.activities.redis.at_work import House, at_work, houses
from tests.hitl.approval.granting import Gateway, make_plan

NAME = marked("cache", mark("provision-redis/a"))


@pytest.fixture(params=["upstash", "rediscloud"])
def house(request: pytest.FixtureRequest) -> Iterator[House]:
    with houses(request.param) as found:
        yield found


def wanted(house: House, **changes: object) -> DatabaseRequest:
    return DatabaseRequest.model_validate(house.request | changes)


async def made(house: House) -> DatabaseMade:
    """A database that serves."""
    created = await house.run(house.seller.steps.create, wanted(house))
    house.advance()
    return created


def granting(database: str, **changes: object) -> GrantAccessRequest:
    told: dict[str, object] = {"database": database, "consumer": "web", "prefix": "web:", "access": Access.WRITE}
    return GrantAccessRequest.model_validate(told | changes)


async def test_a_database_is_priced_under_the_name_that_it_will_have(house: House) -> None:
    priced = await house.run(house.seller.steps.price, wanted(house))
    assert priced.name == NAME
    assert 0 < priced.usd_cents <= 10_000
    assert priced.lines
    assert house.posts() == (1 if house.pending else 0)  # the dry run


async def test_a_database_is_made_once_however_often_it_is_asked_for(house: House) -> None:
    created = await made(house)
    again = await house.run(house.seller.steps.create, wanted(house), attempt=2)
    assert (created.name, created.adopted) == (NAME, False)
    assert again == created.model_copy(update={"adopted": True})


async def test_a_lost_answer_makes_no_second_database(house: House) -> None:
    steps = house.seller.steps
    if house.pending:  # the first POST is the dry run's
        await _lost_after_dry_run(house)
    else:
        house.twin.plant(method="POST", path=f"{house.creates}$", kind="drop_after_effect")
    try:
        created = await house.run(steps.create, wanted(house))
    except Unavailable:
        created = await house.run(steps.create, wanted(house), attempt=2)
    assert created.adopted
    house.advance()
    seen = await house.run(steps.look, LookAtDatabaseRequest(database=NAME))
    assert (seen.id, seen.state) == (created.id, "active")


async def _lost_after_dry_run(house: House) -> None:
    """A fault for the second POST: the first one of two is planted as a delay of nothing."""
    path = f"{house.creates}$"
    house.twin.plant(method="POST", path=path, kind="delay", seconds=0)
    house.twin.plant(method="POST", path=path, kind="drop_after_effect")


async def test_another_goal_gets_another_one(house: House) -> None:
    await made(house)
    other = at_work(house.seller.steps.create.name, "provision-redis/b")
    created = await other.run(house.method(house.seller.steps.create), wanted(house))
    assert created.name == marked("cache", mark("provision-redis/b"))


async def test_a_database_is_seen_by_name_and_by_id_and_nothing_of_it_opens_it(house: House) -> None:
    created = await made(house)
    for name in (created.id, NAME):
        seen = await house.run(house.seller.steps.look, LookAtDatabaseRequest(database=name))
        assert (seen.id, seen.name, seen.state, seen.endpoint) == (created.id, NAME, "active", "127.0.0.1")
    assert "password" not in seen.model_dump_json()


async def test_logins_go_with_their_database_and_not_before(house: House, tmp_path: Path) -> None:
    created = await made(house)
    kept = {(await granted(house, created.id, consumer=one)).secret for one in ("web", "jobs")}
    other = f"{(await granted(house, created.id)).secret.rpartition('/')[0]}-other/web"
    house.vault.held[other] = {}
    request = ForgetLoginsRequest(database=created.id)
    with pytest.raises(Conflict, match="is there: what opens it stays in Vault until it is deleted"):
        await house.run(house.seller.steps.forget, request)
    assert kept <= house.vault.held.keys()
    await deletion(house, tmp_path, created.id).attempt()
    house.advance()
    for consumers in ({"web", "jobs"}, set[str]()):
        assert set((await house.run(house.seller.steps.forget, request)).consumers) == consumers
        assert not kept & house.vault.held.keys()
    assert other in house.vault.held


async def granted(house: House, database: str, **changes: object) -> AccessGranted:
    return await house.run(house.seller.steps.grant, granting(database, **changes))


def checking(database: str) -> CheckAccessRequest:
    return CheckAccessRequest(database=database, consumer="web", prefix="web:", access=Access.WRITE)


async def test_a_consumer_gets_a_login_in_vault_and_nothing_of_it_is_answered(house: House) -> None:
    created = await made(house)
    told = await granted(house, created.id)
    system = house.seller.steps.grant.name.split(".")[0]
    assert told.secret == f"{system}/databases/{created.id}/web"
    kept = house.vault.held[told.secret]
    assert kept["username"].get_secret_value() == told.user
    assert len(kept["password"].get_secret_value()) == 48
    assert kept["password"].get_secret_value() not in told.model_dump_json()
    checked = await house.run(house.seller.steps.check, checking(created.id))
    assert checked.user == told.user
    assert house.vault.asked[-2:] == [f"{system}-grant", f"{system}-check"]


async def test_what_was_not_written_is_made_anew(house: House) -> None:
    created = await made(house)
    house.vault.failing.append(AuthDenied("sealed for the test"))
    with pytest.raises(AuthDenied):
        await granted(house, created.id)
    await granted(house, created.id)
    await house.run(house.seller.steps.check, checking(created.id))


async def test_rights_that_differ_from_what_was_asked_are_noticed_and_granted_anew(house: House) -> None:
    created = await made(house)
    await granted(house, created.id, access=Access.READ)
    with pytest.raises(Conflict, match="may not SET web:banksman-probe, and should"):
        await house.run(house.seller.steps.check, checking(created.id))
    await granted(house, created.id)
    await house.run(house.seller.steps.check, checking(created.id))


@pytest.mark.parametrize("house", ["rediscloud"], indirect=True)
async def test_a_login_holds_the_certificate_that_no_public_authority_signed(house: House) -> None:
    """The twin speaks no TLS: the provider's two answers are planted."""
    created = await made(house)
    number = created.id.rpartition("-")[2]
    there = {"databaseId": int(number), "name": NAME, "publicEndpoint": "db.example.com:1"}
    body = {**there, "security": {"enableTls": True}}
    house.twin.plant(method="GET", path=f"/databases/{number}$", kind="status", status=200, body=body)
    signed = {"publicCertificatePEMString": "PEM"}
    house.twin.plant(method="GET", path="/certificate$", kind="status", status=200, body=signed)
    told = await granted(house, created.id)
    kept = {name: value.get_secret_value() for name, value in house.vault.held[told.secret].items()}
    assert (told.endpoint, told.port, told.tls) == ("db.example.com", 1, True)
    assert (kept["host"], kept["tls"], kept["ca"]) == ("db.example.com", "true", "PEM")


class Execution:
    """One execution of a destructive step by one grant; its attempts come one after the other."""

    def __init__(self, house: House, folder: Path, step: Step[Any, Any], parameters: dict[str, JsonValue]) -> None:
        self.house, self.step, self.records, self.attempts = house, step, Records(), 0
        self.scheduled = datetime.now(UTC)
        plan = make_plan(action=step.name, parameters=parameters)
        self.request = GrantedRequest(plan=plan.text(), decisions=tuple(Gateway(folder).grant("alice", "bob")))

    async def attempt(self, waited: Waited | None = None) -> Any:
        """The next one."""
        self.attempts += 1
        step = admitted(self.house.method(self.step), self.records, waited)
        started = self.scheduled + timedelta(milliseconds=self.attempts)
        told: dict[str, Any] = {"scheduled_time": self.scheduled, "started_time": started, "attempt": self.attempts}
        return await at_work(self.step.name, **told).run(step, self.request)


def deletion(house: House, folder: Path, database: str, name: str = NAME) -> Execution:
    wanted_gone = DeleteDatabaseParameters(resource=name, database=database)
    return Execution(house, folder, house.seller.steps.delete, wanted_gone.model_dump())


def purchase(house: House, folder: Path, **changes: object) -> Execution:
    told: dict[str, Any] = {"account": "", "region": "", "memory_mb": 256, "eviction": True, "resource": "cache"}
    told |= {"account": house.request.get("subscription", ""), "region": house.request.get("region", "")}
    parameters = PurchaseDatabaseParameters.model_validate(told | {"most_usd": 100} | changes)
    return Execution(house, folder, house.seller.steps.purchase, parameters.model_dump(mode="json"))


async def test_what_people_approved_is_made_once(house: House, tmp_path: Path) -> None:
    bought = purchase(house, tmp_path)
    created = await bought.attempt()
    assert (created.name, created.adopted) == (NAME, False)
    system = house.seller.steps.grant.name.split(".")[0]
    assert set(house.vault.asked) == {f"{system}-purchase"}


async def test_nothing_is_bought_for_a_goal_that_is_over(house: House, tmp_path: Path) -> None:
    with pytest.raises(NotCurrent):
        await purchase(house, tmp_path).attempt(Waited(until=1))
    with pytest.raises(NotFound):
        await house.run(house.seller.steps.look, LookAtDatabaseRequest(database=NAME))


@pytest.mark.parametrize("house", ["rediscloud"], indirect=True)
async def test_nothing_is_bought_above_the_price_that_people_approved(house: House, tmp_path: Path) -> None:
    """At Upstash the price is the database's budget."""
    with pytest.raises(InvalidRequest, match="nothing was made"):
        await purchase(house, tmp_path, most_usd=92).attempt()


async def test_a_database_is_deleted_by_its_id_once(house: House, tmp_path: Path) -> None:
    created = await made(house)
    await granted(house, created.id)
    assert (await deletion(house, tmp_path, created.id).attempt()).name == NAME
    with pytest.raises(NotFound):
        await house.run(house.seller.steps.look, LookAtDatabaseRequest(database=created.id))
    with pytest.raises(NotFound, match="somebody deleted it"):
        await deletion(house, tmp_path, created.id).attempt()


async def test_an_attempt_after_a_lost_answer_finds_it_gone_and_is_done(house: House, tmp_path: Path) -> None:
    created = await made(house)
    execution = deletion(house, tmp_path, created.id)
    house.twin.plant(method="DELETE", kind="drop_after_effect")
    with pytest.raises(Unavailable):
        await execution.attempt()
    house.advance()
    assert (await execution.attempt()).name == NAME


async def test_a_database_that_was_renamed_is_kept(house: House, tmp_path: Path) -> None:
    created = await made(house)
    with pytest.raises(Conflict, match="it is kept"):
        await deletion(house, tmp_path, created.id, "another").attempt()
    assert (await house.run(house.seller.steps.look, LookAtDatabaseRequest(database=created.id))).name == NAME


async def test_nothing_is_deleted_for_a_goal_that_is_over(house: House, tmp_path: Path) -> None:
    created = await made(house)
    with pytest.raises(NotCurrent):
        await deletion(house, tmp_path, created.id).attempt(Waited(until=1))
    assert (await house.run(house.seller.steps.look, LookAtDatabaseRequest(database=created.id))).name == NAME


def test_a_policy_can_speak_of_name_subscription_and_price(house: House) -> None:
    account = house.request.get("subscription")
    assert wanted(house).policy_context() == PolicyContext(resource="cache", account=account, cost=100)
    assert granting("a").policy_context() == PolicyContext(resource="a")
