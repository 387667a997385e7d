"""A webhook's secret is changed with an overlap: old and new are good, then the new alone, seen to be so."""

import asyncio
import time
from collections.abc import Iterator
from typing import cast

import pytest
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from connectors.errors import NotFound, Unavailable
from connectors.github.manifest import WEBHOOK
from connectors.github.registration import MadeApp
from hitl.gateway.deliveries import Arrival, Deliveries
from hitl.gateway.webhook_secrets import WebhookSecretSource
from hitl.github.events import WEBHOOKS, AnyEvent
from hitl.github.receiving import Receiver
from hitl.github.signature import BodySignature, WebhookSecrets
from observability.redaction import redact
from tests.connectors.github.twin.server import until
from tests.connectors.serving import served
from tests.workers.github_app.conftest import Place
from workers.github_app.rotating import pinged


class Gateway:
    """What takes what is signed with what Vault has, as the gateway does; `stubborn` is what it takes instead."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self.taken: list[str] = []
        self.down = False
        self.refuses: set[str] = set()
        self.stubborn: WebhookSecrets | None = None

    def app(self) -> Starlette:
        return Starlette(routes=[Route("/github/webhooks", self._take, methods=["POST"])])

    def good(self) -> WebhookSecrets:
        fields = self._place.in_vault(WEBHOOK.path) or {}
        previous = fields.get("previous")
        return WebhookSecrets(
            secret=SecretStr(str(fields["secret"])),
            previous=None if previous is None else SecretStr(str(previous)),
        )

    async def _take(self, request: Request) -> Response:
        if self.down or request.headers["x-github-event"] in self.refuses:
            return PlainTextResponse("down", 503)
        signature = BodySignature(self.stubborn or self.good())
        signature.take(await request.body())
        if not signature.is_good(request.headers["x-hub-signature-256"]):
            return PlainTextResponse("no", 401)
        self.taken.append(request.headers["x-github-event"])
        return PlainTextResponse("new", 202)


@pytest.fixture
def gateway(place: Place) -> Iterator[tuple[Gateway, str]]:
    gateway = Gateway(place)
    with served(gateway.app()) as url:
        yield gateway, f"{url}/github/webhooks"


async def with_webhook(place: Place, url: str) -> MadeApp:
    """The ordinary App, whose webhook leads to the gateway."""
    app = await place.has()
    hook = place.at_github(app).hook
    assert hook is not None
    hook.url = url
    return app


def signs_with(place: Place, app: MadeApp) -> str:
    hook = place.at_github(app).hook
    assert hook is not None
    return str(hook.secret)


async def test_old_and_new_secret_are_good_then_the_new_one_alone(place: Place, gateway: tuple[Gateway, str]) -> None:
    taking, url = gateway
    app = await with_webhook(place, url)
    old = signs_with(place, app)
    await place.rotating().new_webhook_secret()
    kept = place.in_vault(WEBHOOK.path)
    assert kept == {"secret": signs_with(place, app)}
    assert old != signs_with(place, app)
    assert len(signs_with(place, app)) == 64
    assert place.said[-1] == "the old secret is gone, and the gateway refuses what is signed with it"
    assert {*taking.taken} == {"ping"}
    assert "ordinary webhook secret" not in await place.problems()
    for secret in (old, signs_with(place, app)):
        assert secret not in "".join(place.said)
        assert secret not in redact.text(f"refused: {secret}")  # whatever field of Vault's it stood in


async def test_while_the_gateway_does_not_take_the_new_one_github_is_not_told_and_begun_again_it_goes_on(
    place: Place, gateway: tuple[Gateway, str]
) -> None:
    taking, url = gateway
    app = await with_webhook(place, url)
    old, taking.down = signs_with(place, app), True
    with pytest.raises(Unavailable, match=r"does not take the new secret \(it answers 503\)"):
        await place.rotating(patience=0.1).new_webhook_secret()
    assert signs_with(place, app) == old
    under_way = place.in_vault(WEBHOOK.path) or {}
    assert under_way["previous"] == old
    taking.down = False
    await place.rotating().new_webhook_secret()
    assert place.in_vault(WEBHOOK.path) == {"secret": under_way["secret"]}
    assert signs_with(place, app) == under_way["secret"]


async def test_a_github_that_does_not_answer_leaves_both_good(place: Place, gateway: tuple[Gateway, str]) -> None:
    _, url = gateway
    app = await with_webhook(place, url)
    place.twin.plant(kind="status", method="PATCH", path="^/app/hook/config$", status=503)
    with pytest.raises(Unavailable):
        await place.rotating().new_webhook_secret()
    under_way = place.in_vault(WEBHOOK.path) or {}
    assert {*under_way} == {"secret", "previous"}
    place.twin.plant(kind="drop_after_effect", method="PATCH", path="^/app/hook/config$")
    with pytest.raises(Unavailable):
        await place.rotating().new_webhook_secret()
    assert signs_with(place, app) == under_way["secret"]
    await place.rotating().new_webhook_secret()
    assert place.in_vault(WEBHOOK.path) == {"secret": under_way["secret"]}


async def test_a_gateway_that_goes_on_to_take_the_old_one_is_told_of(
    place: Place, gateway: tuple[Gateway, str]
) -> None:
    taking, url = gateway
    app = await with_webhook(place, url)
    old = SecretStr(signs_with(place, app))
    rotating = place.rotating(patience=0.2)
    both = await rotating._both()
    taking.stubborn = WebhookSecrets(secret=both.secret, previous=old)
    with pytest.raises(Unavailable, match="does not refuse the old secret"):
        await rotating.new_webhook_secret()


async def test_the_first_secret_has_none_before_it(place: Place, gateway: tuple[Gateway, str]) -> None:
    _, url = gateway
    app = await with_webhook(place, url)
    place.server.admin("DELETE", f"banksman/metadata/{WEBHOOK.path}")
    await place.rotating().new_webhook_secret()
    assert place.in_vault(WEBHOOK.path) == {"secret": signs_with(place, app)}


async def test_an_app_without_a_webhook_and_a_vault_without_an_app(place: Place) -> None:
    with pytest.raises(NotFound, match="Vault has no key of the ordinary App"):
        await place.rotating().new_webhook_secret()
    app = await place.has()
    place.at_github(app).hook = None
    with pytest.raises(NotFound, match="no webhook"):
        await place.rotating().new_webhook_secret()
    assert {*cast("dict[str, object]", place.in_vault(WEBHOOK.path))} == {"secret"}


async def test_nobody_answers_at_the_webhooks_address(place: Place) -> None:
    app = await with_webhook(place, "http://127.0.0.1:9/github/webhooks")
    old = signs_with(place, app)
    with pytest.raises(Unavailable, match="nobody answers"):
        await place.rotating(patience=0.05).new_webhook_secret()
    assert signs_with(place, app) == old


async def delivered(place: Place, taking: Gateway, event: str) -> None:
    """Something that GitHub delivered before."""
    payload = {"zen": "Keep it.", "hook_id": 1}
    place.twin.hands.post("/_github/events", json={"event": event, "owner": "acme", "payload": payload})
    await asyncio.to_thread(until, lambda: event in taking.taken, "GitHub delivers")


async def test_what_github_signs_with_the_new_one_is_seen_to_be_taken(
    place: Place, gateway: tuple[Gateway, str]
) -> None:
    taking, url = gateway
    await with_webhook(place, url)
    await delivered(place, taking, "installation")
    await place.rotating().new_webhook_secret()
    assert "GitHub signs with it, and the gateway took a delivery that it signed" in place.said
    assert taking.taken.count("installation") == 2
    assert "ordinary deliveries" not in await place.problems()


async def test_what_github_signs_and_nobody_takes_keeps_both_good(place: Place, gateway: tuple[Gateway, str]) -> None:
    taking, url = gateway
    await with_webhook(place, url)
    await delivered(place, taking, "installation")
    taking.refuses.add("installation")
    with pytest.raises(Unavailable, match=r"signed with the new secret was answered with 503; both secrets stay good"):
        await place.rotating().new_webhook_secret()
    assert {*(place.in_vault(WEBHOOK.path) or {})} == {"secret", "previous"}
    assert "was answered with 503" in (await place.problems())["ordinary deliveries"]


class _Kept:
    """Where the gateway hands a delivery on to; its GUIDs are noted."""

    def __init__(self) -> None:
        self.guids: list[str] = []

    async def receive(self, guid: str, event: AnyEvent) -> Arrival:
        assert event.event == "ping"
        self.guids.append(guid)
        return Arrival.NEW


async def test_the_gateways_own_receiver_takes_part(place: Place) -> None:
    """It keeps what it read for a minute; here a second is a thousand of them."""

    async def read() -> dict[str, SecretStr]:
        return {name: SecretStr(str(value)) for name, value in (place.in_vault(WEBHOOK.path) or {}).items()}

    kept = _Kept()
    source = WebhookSecretSource(read, clock=lambda: time.monotonic() * 1000)
    receiver = Receiver(source, cast("Deliveries", kept))
    with served(receiver.app()) as url:
        app = await with_webhook(place, f"{url}{WEBHOOKS}")
        ping = {"event": "ping", "owner": "acme", "payload": {"zen": "Keep it.", "hook_id": 1}}
        place.twin.hands.post("/_github/events", json=ping)
        await asyncio.to_thread(until, lambda: bool(kept.guids), "GitHub delivers")
        old = SecretStr(signs_with(place, app))
        assert await pinged(f"{url}{WEBHOOKS}", old) == 202
        await place.rotating().new_webhook_secret()
        new = SecretStr(signs_with(place, app))
        assert (await pinged(f"{url}{WEBHOOKS}", new), await pinged(f"{url}{WEBHOOKS}", old)) == (202, 401)
    assert "GitHub signs with it, and the gateway took a delivery that it signed" in place.said
    assert place.in_vault(WEBHOOK.path) == {"secret": new.get_secret_value()}
