"""The console beside Slack in one process: its clicks and starts go the one way that those of every surface go."""

import hashlib
from collections.abc import Sequence
from secrets import token_urlsafe
from typing import Final

from obstore.exceptions import BaseError
from pydantic import SecretStr, ValidationError
from starlette.applications import Starlette
from temporalio.client import Client
from temporalio.service import RPCError

from activities.guard.audit_checkpoint import AUDIT_KEY
from activities.guard.audit_collect import COLLECTED
from connectors.artifacts import ArtifactStore
from connectors.errors import AuthDenied, ConnectorError, InvalidRequest, NotFound
from connectors.errors import Unavailable as NoStore
from connectors.github.manifest import GITHUB, SIGN_IN
from connectors.github.models import SignInCredentials
from connectors.github.places import pages_address
from connectors.vault import VaultSession
from hitl.approval.approvers import People
from hitl.console.access.key_uses import used_once_more
from hitl.console.app import Sources, create_console
from hitl.console.audit.seen import CollectedAudit
from hitl.console.goals.seen import TemporalGoals
from hitl.console.health.seen import TemporalHealth
from hitl.console.installations.seen import TemporalInstallations
from hitl.console.leases.seen import TemporalLeases
from hitl.console.limits.seen import TemporalLimits
from hitl.console.marks import TemporalMarks
from hitl.console.ports import Unavailable
from hitl.console.settings import ConsoleSettings, GitHubSignIn, OidcSettings
from hitl.console.visibility import TemporalApprovals
from hitl.gateway.decisions import DecisionService, PolicyInForce
from hitl.gateway.goal_starter import GoalStarter, StartedGoal
from hitl.gateway.opinions import Opinions
from workers.settings import Settings
from workflows.contracts import GoalInput
from workflows.goal_type import GoalType
from workflows.opinions.contracts import KeptOpinion

SECRET_FIELD: Final = "console_secret"  # noqa: S105 - the name of a field
OIDC_FIELD: Final = "oidc_client_secret"


class NoConsole(Exception):
    """The console cannot be served as it is set. The message says what to set."""


class GatewayGoals(TemporalGoals):
    """The console's port `Goals`: looked up on the server, and started in the visitor's name."""

    def __init__(self, client: Client, start: GoalStarter, policy: PolicyInForce) -> None:
        def people() -> People:
            return policy.current().people

        async def who_asked(workflow_id: str, run_id: str) -> str:
            return await start.requester_of(workflow_id, run_id, people())

        super().__init__(client, who_asked=who_asked, people=people)
        self._starts = start

    async def start(self, goal: GoalType, request: GoalInput, *, identity: str) -> StartedGoal:
        """Start one in this person's name, or find the one that runs.

        Raises:
            Unavailable: Nobody can say whether it started.
        """
        try:
            return await self._starts.start(goal, request, identity=identity)
        except (ConnectorError, RPCError) as error:
            raise Unavailable(
                "Not confirmed: Temporal or Vault does not answer now. Look at the running goals before you ask again."
            ) from error


class GatewayOpinions:
    """The console's port `Opinions`."""

    def __init__(self, opinions: Opinions) -> None:
        self._opinions = opinions
        self.give = opinions.give

    async def on(self, goal_run: str) -> Sequence[KeptOpinion]:
        """Those that hold on one run.

        Raises:
            Unavailable: Nobody can say now.
        """
        try:
            return await self._opinions.on(goal_run)
        except (ConnectorError, RPCError) as error:
            raise Unavailable("Temporal or Vault does not answer now.") from error


class Artifacts:
    """The artifact store, opened when somebody looks at a plan: without it a gateway serves approvals all the same."""

    def __init__(self, location: str) -> None:
        self._location = location

    async def get(self, reference: str) -> bytes:
        """The bytes behind a reference.

        Raises:
            ConnectorError: By the store; also where there is none.
        """
        try:
            store = ArtifactStore(self._location)
        except (BaseError, OSError) as error:
            raise NoStore(
                f"the gateway has no artifact store at {self._location!r} ({type(error).__name__}): let it read the "
                "workers' own, by BANKSMAN_ARTIFACTS"
            ) from error
        return await store.get(reference)


class VaultKeyUses:
    """The console's port `KeyUses`: a record for each key, by check-and-set, for all copies of the gateway."""

    def __init__(self, vault: VaultSession) -> None:
        self._vault = vault

    async def use(self, credential: str, *, count: int, challenge: str) -> None:
        """Count one use.

        Raises:
            UsedBefore: That challenge was used, or the key counted further before.
            Unavailable: Nobody can say now.
        """
        path = f"webauthn/{hashlib.sha256(credential.encode()).hexdigest()}"
        try:
            await self._vault.change(path, lambda text: used_once_more(text, count=count, challenge=challenge))
        except ConnectorError as error:
            raise Unavailable("Vault does not answer now, and counts the uses of keys. Nothing was done.") from error


def console(  # noqa: PLR0913 - what it is wired from
    client: Client,
    settings: Settings,
    vault: VaultSession,
    *,
    policy: PolicyInForce,
    decide: DecisionService,
    start: GoalStarter,
    opinions: Opinions,
    secrets: dict[str, SecretStr],
    sign_in: SignInCredentials | None = None,
) -> Starlette:
    """The console as an application.

    Args:
        client: Of Temporal.
        settings: Of this process.
        vault: Its own standing, which counts the uses of people's keys.
        policy: Who people are.
        decide: The way of every click.
        start: The way of every start.
        opinions: The way of every opinion.
        secrets: The gateway's, as Vault keeps them.
        sign_in: The GitHub App that people sign in by; None where they do not.

    Raises:
        NoConsole: Nobody could sign in, or anybody could.
    """
    sources = Sources(
        approvals=TemporalApprovals(client),
        goals=GatewayGoals(client, start, policy),
        opinions=GatewayOpinions(opinions),
        leases=TemporalLeases(client),
        limits=TemporalLimits(client),
        installations=TemporalInstallations(client),
        health=TemporalHealth(client),
        artifacts=Artifacts(settings.artifacts),
        audit=CollectedAudit(settings.audit_dir / COLLECTED, lambda: vault.public_keys(AUDIT_KEY)),
        marks=TemporalMarks(client),
    )
    made = _settings(settings, secrets, sign_in)
    return create_console(made, sources, policy=policy, decide=decide, uses=VaultKeyUses(vault))


async def github_sign_in(vault: VaultSession, settings: Settings) -> SignInCredentials | None:
    """The GitHub App that people sign in to the console by; None where they do not, or there is no console.

    Raises:
        NoConsole: What Vault holds of it is no such thing, or this process may not read it.
        ConnectorError: Vault does not answer.
    """
    if settings.console_listen is None:
        return None
    try:
        return SignInCredentials.of(await vault.read(SIGN_IN.path))
    except NotFound:
        return None
    except KeyError as error:
        raise NoConsole(f"Vault's secret {SIGN_IN.path!r} lacks {error.args[0]}: put it there, or delete it") from None
    except AuthDenied as error:
        raise NoConsole(
            f"the gateway may not read {SIGN_IN.path!r} in Vault: `python -m deploy.vault` lets it"
        ) from error


def _settings(settings: Settings, secrets: dict[str, SecretStr], sign_in: SignInCredentials | None) -> ConsoleSettings:
    if settings.console_url is None or settings.console_listen is None:
        raise NoConsole("BANKSMAN_CONSOLE_LISTEN is set without BANKSMAN_CONSOLE_URL: set both, or neither")
    secret = secrets.get(SECRET_FIELD)
    if secret is None and settings.development:
        secret = SecretStr(token_urlsafe(32))  # of this process: people sign in again when it is started again
    if secret is None:
        raise NoConsole(f"Vault's secret 'slack/app' lacks {SECRET_FIELD}: put 32 random bytes in base64 there")
    try:
        return ConsoleSettings(
            origin=settings.console_url,
            listen=settings.console_listen,
            secret=secret,
            development=settings.development,
            oidc=_oidc(settings, secrets),
            github=_github(settings, sign_in),
            namespace=settings.temporal_namespace,
            temporal_ui=settings.temporal_ui,
            traces=settings.console_traces,
            code=settings.console_code,
            policy=settings.console_policy,
        )
    except ValidationError as error:
        problems = "; ".join(str(one["msg"]) for one in error.errors(include_input=False, include_url=False))
        raise NoConsole(f"the console cannot be served: {problems}") from None


def _oidc(settings: Settings, secrets: dict[str, SecretStr]) -> OidcSettings | None:
    issuer, client_id = settings.console_oidc_issuer, settings.console_oidc_client_id
    if issuer is None and client_id is None:
        return None
    if issuer is None or client_id is None:
        raise NoConsole("BANKSMAN_CONSOLE_OIDC_ISSUER and BANKSMAN_CONSOLE_OIDC_CLIENT_ID belong together: set both")
    return OidcSettings(
        issuer=issuer,
        client_id=client_id,
        client_secret=secrets.get(OIDC_FIELD),
        identity_claim=settings.console_oidc_claim,
    )


def _github(settings: Settings, sign_in: SignInCredentials | None) -> GitHubSignIn | None:
    if sign_in is None:
        if settings.console_github_members:
            raise NoConsole(
                "BANKSMAN_CONSOLE_GITHUB_MEMBERS is set, and Vault holds no App that people sign in by at "
                f"{SIGN_IN.path!r}: put client_id and client_secret there, or set no members"
            )
        return None
    api = settings.url_of(GITHUB)
    try:
        pages = pages_address(api)
    except InvalidRequest as error:
        raise NoConsole(str(error)) from error
    return GitHubSignIn(
        pages=pages,
        api=api,
        client_id=sign_in.client_id,
        client_secret=sign_in.client_secret,
        members=settings.console_github_members,
    )
