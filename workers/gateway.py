"""The gateway: Slack's listeners, the console, the steps that show approvals, and the collecting of audit files.

Wiring only; it holds no state but what was collected.
"""

import asyncio
from socket import socket
from typing import Final, Never

import structlog
from pydantic import SecretStr
from slack_bolt.adapter.socket_mode.async_handler import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from starlette.applications import Starlette
from temporalio.client import Client

from activities.guard.audit_checkpoint import AUDIT_KEY
from activities.guard.audit_collect import COLLECTED, AuditCollector, SigningKey
from activities.guard.key_ring import KeyRing
from activities.guard.policy_source import PolicySource
from connectors.errors import ConnectorError
from connectors.github.models import SignInCredentials
from connectors.slack.manifest import SLACK
from connectors.vault import VaultSession
from hitl.gateway.counts import Counts
from hitl.gateway.decisions import DecisionService
from hitl.gateway.deliveries import Deliveries, DeliverySteps
from hitl.gateway.fleets import FleetSteps
from hitl.gateway.following import FollowingSteps
from hitl.gateway.goal_starter import GoalStarter
from hitl.gateway.histories import HistorySteps
from hitl.gateway.opinions import Opinions, OpinionSteps
from hitl.gateway.rule_changes import RuleChanges
from hitl.gateway.server import Server
from hitl.gateway.sweeping import Sweeper
from hitl.github.acting import Acts
from hitl.github.health import HealthSteps
from hitl.github.schedule_steps import ScheduleSteps
from hitl.github.schedules import Schedules
from hitl.github.steps import DecidingSteps
from hitl.github.voiding import Voiding
from hitl.slack.answers import AnswerSteps, Asked, AwaitingSteps
from hitl.slack.app import SlackApp
from hitl.slack.client import SlackMessages, SlackRates, mapped, web_client
from hitl.slack.commands import Commands
from hitl.slack.findings import FindingsSteps
from hitl.slack.http import http_app
from hitl.slack.messages import Links
from hitl.slack.steps import SlackSteps
from workers.console import console
from workers.serving import bind, serve
from workers.settings import Settings
from workers.webhooks import webhooks

SECRETS: Final = frozenset({"bot_token", "app_token", "signing_secret"})
"""What Vault must hold at `slack/app`."""

_KEY: Final = "approvals"
_AGAIN: Final = 2.0
_log = structlog.get_logger("banksman.gateway")


class Gateway:
    """What one process serves.

    Args:
        client: Of Temporal.
        settings: Of this process.
        vault: Its own standing; its AppRole alone may sign decisions.
        cluster: The Temporal cluster's id.
        secrets: Slack's and the console's, as Vault keeps them at `slack/app`.
        keys: What tells who asked for a goal.
        sign_in: The GitHub App that people sign in to the console by; None where they do not.

    Raises:
        NoConsole: The console cannot be served as it is set.
        CannotListen: An address cannot be had.
    """

    def __init__(  # noqa: PLR0913 - all that it is wired from
        self,
        client: Client,
        settings: Settings,
        vault: VaultSession,
        *,
        cluster: str,
        secrets: dict[str, SecretStr],
        keys: KeyRing,
        sign_in: SignInCredentials | None = None,
    ) -> None:
        self._settings, self._secrets = settings, secrets
        self._policy = PolicySource(settings.policy, environment=settings.environment)
        self._web = web_client(secrets["bot_token"], url=settings.url_of(SLACK))
        server = Server(client, cluster=cluster)

        async def sign(text: str) -> str:
            return await vault.sign(_KEY, text)

        # What goes on beside all that is asked for.
        self.audit = _collector(settings, vault)
        self.sweeper, self.counts = Sweeper(server), Counts(server)
        self.rule_changes = RuleChanges(server, self._policy)

        # What people start and decide, in Slack, on the console and on GitHub.
        links = _links(settings)
        self.starts = GoalStarter(server, sign, keys.current, traces=settings.console_traces)
        self.clicks = DecisionService(server, self._policy, sign=sign, starts=self.starts, console=settings.console_url)
        self.opinions = Opinions(server, self._policy, sign=sign, keys=keys.current)
        self._commands = Commands(client, self.starts, self._policy, links=links)

        # What GitHub sends, and what becomes of it.
        self.deliveries = Deliveries(server, sign=sign, keys=keys.current)
        self.acts = Acts(server, self.starts, self.clicks, console=settings.console_url)
        self.schedules = Schedules(client)
        self.webhooks = webhooks(settings, vault, self.deliveries)

        # The steps of this process.
        messages = SlackMessages(self._web, _rates(settings))
        self.steps = SlackSteps(messages, server, self._policy, starts=self.starts, links=links)
        asked = Asked(server, self.starts, self._policy)
        self.beside = (
            OpinionSteps(self.opinions),
            HistorySteps(server),
            FindingsSteps(messages, server, self._policy),
            AnswerSteps(messages, asked),
            FleetSteps(),
            HealthSteps(server),
            DeliverySteps(self.deliveries, follow=self.schedules.follow),
            DecidingSteps(self.deliveries, self._policy, self.acts, Voiding(server), self.schedules),
            ScheduleSteps(server, self._policy, self.acts, self.schedules),
        )
        self.follows = FollowingSteps(server)
        self.waits = (self.follows, AwaitingSteps(asked))

        self._listening = bind(settings.slack_listen) if settings.slack_mode == "http" else None
        self._console = self._bound_console(client, vault, sign_in)

    def _bound_console(
        self, client: Client, vault: VaultSession, sign_in: SignInCredentials | None
    ) -> tuple[Starlette, socket] | None:
        """The console and where it is served; None where this gateway serves none."""
        if self._settings.console_listen is None:
            return None
        made = console(
            client,
            self._settings,
            vault,
            policy=self._policy,
            decide=self.clicks,
            start=self.starts,
            opinions=self.opinions,
            secrets=self._secrets,
            sign_in=sign_in,
        )
        return made, bind(self._settings.console_listen)

    async def serve(self) -> Never:
        """Take clicks, from the moment that Slack answers; steps run and the console is served whether it does or not.

        Raises:
            ExceptionGroup: Something of it broke for good; the process has to be started again.
        """
        async with asyncio.TaskGroup() as group:
            group.create_task(self._listen(), name="listen to Slack")
            group.create_task(self.sweeper.run(), name="look for approvals that nobody waits for")
            group.create_task(self.counts.run(), name="count goals, approvals, leases and queues")
            group.create_task(self.rule_changes.run(), name="tell approvals of a policy that changed")
            group.create_task(self.audit.run(), name="collect and sign audit files")
            if (github := self.webhooks) is not None:
                group.create_task(serve(github.app, github.listening), name="receive GitHub's webhooks")
            if self._console is not None:
                group.create_task(serve(*self._console), name="serve the console")
        raise AssertionError("nothing of the gateway ends by itself")

    async def _listen(self) -> Never:
        while True:
            try:
                app = await self._app()
                if self._listening is not None:
                    _log.info("listening to slack", mode="http", port=self._listening.getsockname()[1])
                    await serve(http_app(app), self._listening)
                await self._by_socket(app)
            except ConnectorError as error:
                _log.warning("slack is not listened to yet", why=str(error))
                await asyncio.sleep(_AGAIN)

    async def _app(self) -> AsyncApp:
        with mapped("the app's own name"):
            team = str((await self._web.auth_test()).get("team_id"))
        slack = SlackApp(
            client=self._web,
            team=team,
            clicks=self.clicks,
            opinions=self.opinions,
            commands=self._commands,
            policy=self._policy,
        )
        secret = self._secrets["signing_secret"].get_secret_value() if self._settings.slack_mode == "http" else None
        return slack.app(signing_secret=secret)

    async def _by_socket(self, app: AsyncApp) -> Never:
        handler = AsyncSocketModeHandler(app, self._secrets["app_token"].get_secret_value(), web_client=self._web)
        try:
            with mapped("a Socket Mode connection"):
                await handler.connect_async()
            _log.info("listening to slack", mode="socket")
            while True:  # it connects again by itself
                await asyncio.Event().wait()
        finally:
            await handler.close_async()


def _links(settings: Settings) -> Links:
    """Where people are led to."""
    return Links(
        temporal=settings.temporal_ui,
        namespace=settings.temporal_namespace,
        console=settings.console_url,
        traces=settings.console_traces,
    )


def _rates(settings: Settings) -> SlackRates:
    """How much is asked of Slack at most."""
    return SlackRates(
        posts_per_second=settings.slack_posts_per_second, calls_per_minute=settings.slack_calls_per_minute
    )


def _collector(settings: Settings, vault: VaultSession) -> AuditCollector:
    """Of this process's audit files, and of the others' where they lie elsewhere."""
    return AuditCollector(
        [settings.audit_dir, *([settings.audit_of_others] if settings.audit_of_others else [])],
        settings.audit_dir / COLLECTED,
        key=SigningKey(sign=lambda text: vault.sign(AUDIT_KEY, text), published=lambda: vault.public_keys(AUDIT_KEY)),
        environment=settings.environment,
    )
