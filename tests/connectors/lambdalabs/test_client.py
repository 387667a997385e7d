"""The client on Lambda's judged twin: what it reads, what it makes of each refusal, and what it never holds."""

import logging
from datetime import timedelta
from typing import Any

import pytest

from connectors.errors import (
    AuthDenied,
    Conflict,
    InvalidRequest,
    NotFound,
    OutcomeUnknown,
    QuotaExhausted,
    RateLimited,
    Unavailable,
)
from connectors.lambdalabs import client
from connectors.lambdalabs.client import NO_CAPACITY, Account, LambdaCloud, Limits, Wanted
from connectors.lambdalabs.manifest import KEY
from connectors.lambdalabs.models import Status
from connectors.lambdalabs.readiness import FIRST_BOOT, gpus_of, greeting
from connectors.limits import Rate
from tests.connectors.lambdalabs.conftest import Opened, advance, opened_at
from tests.connectors.serving import ServedTwin

MARK = "banksman-0123456789abcdef"
WANTED = Wanted(name="train", type="gpu_1x_a10", region="us-west-1", ssh_key=MARK)


async def launched(account: Account, mark: str = MARK) -> str:
    await account.add_ssh_key(MARK, "ssh-ed25519 AAAA")
    return await account.launch(WANTED, mark)


async def test_types_have_their_price_and_where_there_is_capacity(opened: Opened) -> None:
    async with opened() as account:
        found = {one.instance_type.name: one for one in await account.types()}
    a10 = found["gpu_1x_a10"]
    assert (a10.instance_type.price_cents_per_hour, a10.instance_type.specs.gpus) == (75, 1)
    assert [one.name for one in a10.regions_with_capacity_available] == ["us-west-1", "us-east-1"]
    assert found["gpu_1x_gh200"].regions_with_capacity_available == ()


async def test_an_instance_is_launched_found_by_its_mark_and_ended(opened: Opened, twin: ServedTwin) -> None:
    async with opened() as account:
        instance = await launched(account)
        await launched(account, "banksman-of-somebody-else")
        [found] = await account.marked(MARK)
        assert (found.id, found.status, found.ip, found.mark) == (instance, Status.BOOTING, None, MARK)
        advance(twin, 20)
        assert [one.status for one in await account.marked(MARK)] == [Status.ACTIVE]
        await account.terminate(instance)
        assert [one.status for one in await account.marked(MARK)] == [Status.TERMINATING]
        advance(twin, 5)
        assert await account.marked(MARK) == []
        await account.terminate(instance)
        assert len(await account.instances()) == 1


async def test_a_thousand_instances_are_all_read(opened: Opened, known: Any) -> None:
    async with opened() as account:
        first = await launched(account)
        one = known.instances[first]
        known.instances.update({str(number): one.model_copy(update={"id": str(number)}) for number in range(1_000)})
        assert len({one.id for one in await account.instances()}) == len(await account.marked(MARK)) == 1_001


async def test_an_instance_restarts_and_has_another_name(opened: Opened, twin: ServedTwin, known: Any) -> None:
    async with opened() as account:
        instance = await launched(account)
        with pytest.raises(InvalidRequest):
            await account.restart(instance)  # it has not booted yet
        advance(twin, 30)
        [machine] = await account.instances()
        await account.restart(instance)
        assert await greeting(machine.ip or "") is None
        advance(twin, 30)
        [again] = await account.instances()
        assert gpus_of(await greeting(again.ip or "") or "") == 1
        await account.rename(instance, "evaluate")
        assert [one.name for one in await account.marked(MARK)] == ["evaluate"]
        for lost in ("drop_after_effect", "garbage"):
            twin.plant(kind=lost, path="restart$")
            with pytest.raises(OutcomeUnknown):
                await account.restart(instance)
            advance(twin, 30)
        assert known.restarts[instance] == 2
        for asked in (account.restart("none"), account.rename("none", "x")):
            with pytest.raises(NotFound):
                await asked


async def test_what_opens_a_notebook_is_in_nothing_that_we_hold(
    opened: Opened, twin: ServedTwin, known: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with opened() as account:
        instance = await launched(account)
        advance(twin, 20)
        token = known.instances[instance].jupyter_token
        held = await account.instances()
        twin.plant(kind="garbage", path="/instances")
        with pytest.raises(Unavailable) as unread:
            await account.instances()
    assert len(token) == 32
    assert token not in repr(held) + "".join(one.model_dump_json() for one in held) + str(unread.value) + caplog.text


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        (400, NO_CAPACITY, InvalidRequest),
        (400, "global/invalid-parameters", InvalidRequest),
        (400, "global/object-does-not-exist", NotFound),
        (400, "global/quota-exceeded", QuotaExhausted),
        (400, "global/duplicate", Conflict),
        (401, "global/invalid-api-key", AuthDenied),
        (403, "global/account-inactive", AuthDenied),
        (403, "global/invalid-address", AuthDenied),
        (429, "anything", RateLimited),
        (400, "provider/internal-unavailable", OutcomeUnknown),
        (500, "provider/internal-unavailable", OutcomeUnknown),
        (500, "global/internal-error", OutcomeUnknown),
    ],
)
async def test_a_refused_launch_means_what_its_code_says(
    opened: Opened, twin: ServedTwin, status: int, code: str, error: type[Exception]
) -> None:
    async with opened() as account:
        await account.add_ssh_key(MARK, "ssh-ed25519 AAAA")
        body = {"error": {"code": code, "message": "told in words that change", "suggestion": "none"}}
        twin.plant(kind="status", path="launch$", status=status, body=body)
        with pytest.raises(error):
            await account.launch(WANTED, MARK)
        assert await account.marked(MARK) == []


async def test_the_providers_own_trouble_at_a_look_is_waited_out(opened: Opened, twin: ServedTwin) -> None:
    twin.plant(kind="status", path="/instances$", status=400, body={"error": {"code": "provider/x", "message": "m"}})
    async with opened() as account:
        with pytest.raises(Unavailable):
            await account.instances()


async def test_a_refusal_of_what_comes_too_fast_need_not_be_json(opened: Opened, twin: ServedTwin) -> None:
    twin.plant(kind="status", path="/instances$", status=429, body="<html>slow down</html>")
    async with opened() as account:
        with pytest.raises(RateLimited):
            await account.instances()


async def test_one_launch_is_made_in_its_time_and_others_wait(
    twin: ServedTwin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "LAUNCH_PATIENCE", timedelta())
    async with opened_at(twin.url, limits=Limits(account=None, launches=Rate(per_second=1 / 3600))) as account:
        await launched(account)
        with pytest.raises(RateLimited, match="was not asked for"):
            await account.launch(WANTED, MARK)
        assert len(await account.marked(MARK)) == 1


async def test_keys_of_a_name_are_ended_but_for_the_one_that_is_kept(opened: Opened, twin: ServedTwin) -> None:
    async with opened() as account:
        first = await account.add_ssh_key(MARK, "ssh-ed25519 AAAA")
        kept = await account.add_ssh_key(MARK, "ssh-ed25519 BBBB")
        other = await account.add_ssh_key("other", "ssh-ed25519 CCCC")
        twin.plant(kind="drop_after_effect", method="DELETE")
        with pytest.raises(Unavailable):
            await account.delete_ssh_keys(MARK, but=kept.id)
        await account.delete_ssh_keys(MARK, but=kept.id)
        assert {one.id for one in await account.ssh_keys()} == {kept.id, other.id}
        assert first.id not in {kept.id, other.id}


async def test_a_key_that_goes_meanwhile_is_gone_and_one_that_stays_is_told(opened: Opened, twin: ServedTwin) -> None:
    refused = {"error": {"code": "global/invalid-parameters", "message": "no", "suggestion": "none"}}
    async with opened() as account:
        await account.add_ssh_key(MARK, "ssh-ed25519 AAAA")
        twin.plant(kind="status", method="DELETE", status=400, body=refused)
        with pytest.raises(InvalidRequest):
            await account.delete_ssh_keys(MARK)


async def test_what_else_an_account_has(opened: Opened) -> None:
    async with opened() as account:
        assert {one.family for one in await account.images()} == {"lambda-stack-22-04"}
        assert [one.name for one in await account.file_systems()] == ["datasets"]
        assert [one.name for one in await account.rulesets()] == ["ssh only"]


async def test_a_secret_without_its_key_is_told() -> None:
    with pytest.raises(AuthDenied, match="lacks its field 'key'"):
        async with LambdaCloud(KEY, "http://127.0.0.1:1").open({}):
            pass


async def test_a_machine_says_itself_how_many_gpus_answer(opened: Opened, twin: ServedTwin) -> None:
    async with opened() as account:
        instance = await launched(account)
        advance(twin, 20)
        [machine] = await account.instances()
        address = machine.ip or ""
        assert await greeting(address) == "SSH-2.0-OpenSSH_8.9p1"
        advance(twin, 10)
        said = await greeting(address)
        assert said is not None
        assert gpus_of(said) == 1
        await account.terminate(instance)
        assert await greeting(address) is None


@pytest.mark.parametrize(
    ("said", "gpus"),
    [
        ("SSH-2.0-OpenSSH_8.9p1 Ubuntu-3ubuntu0.10 banksman-gpus-8", 8),
        ("SSH-2.0-OpenSSH_8.9p1 banksman-gpus-0", 0),
        ("SSH-2.0-OpenSSH_8.9p1 Ubuntu-3ubuntu0.10", None),
        ("SSH-2.0-banksman-gpus-8", None),
        ("SSH-2.0-OpenSSH_8.9p1 banksman-gpus-8x", None),
    ],
)
def test_a_greeting_is_read(said: str, gpus: int | None) -> None:
    assert gpus_of(said) == gpus


@pytest.mark.parametrize("address", ["127.0.0.1:1", "not an address", "127.0.0.1:x"])
async def test_what_does_not_greet_is_not_there(address: str) -> None:
    assert await greeting(address) is None


def test_the_first_boot_holds_no_secret_and_says_what_is_read() -> None:
    assert "banksman-gpus-$gpus" in FIRST_BOOT
    assert "KEY" not in FIRST_BOOT
