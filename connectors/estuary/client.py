"""Estuary's control plane, as far as it is needed: its API for reading, its tables for drafts and publications."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Final, TypeVar

from pydantic import JsonValue, SecretStr

from connectors.creation import Sleep
from connectors.errors import AuthDenied, ConnectorError, Forbidden, InvalidRequest, MalformedAnswer, OutcomeUnknown
from connectors.estuary.auth import Bearer, TablesAuth
from connectors.estuary.manifest import ESTUARY
from connectors.estuary.models import (
    Draft,
    DraftError,
    Exchange,
    GraphAnswer,
    GraphRequest,
    LiveSpecsBy,
    LiveSpecsVariables,
    LogLine,
    LogsWanted,
    NewDraft,
    NewPublication,
    Publication,
    SpecRef,
    StagedSpec,
    StagedSpecs,
)
from connectors.estuary.operations import (
    CREATE_DRAFT,
    CREATE_PUBLICATION,
    DELETE_DRAFT,
    EXCHANGE_KEY,
    FLOW_STATUS,
    LIST_DRAFTS,
    LIST_ERRORS,
    LIST_PUBLICATIONS,
    LIST_STAGED,
    LIVE_SPECS,
    QUERY,
    STAGE_SPECS,
    VIEW_LOGS,
)
from connectors.http import Api, Call, Dialect, HeaderAuth, Problem, Session, member, pages
from connectors.http.api import Answered
from connectors.provider import Secret
from observability.redaction import redact

TABLES: Final = "https://eyrcnmuzzyriypdajwdk.supabase.co"
"""Where Estuary has its tables."""

Made = TypeVar("Made")

_PAGE: Final = 100
_MOST_TOLD: Final = 300
_FIELDS: Final = frozenset({"token_id", "secret", "apikey"})
_PUBLICATION: Final = "id,draft_id,dry_run,detail,job_status,pub_id,logs_token"


def _problem(body: JsonValue) -> Problem:
    """The API says `error`, and the tables `code`."""
    code = member(body, "error") or member(body, "code")
    return Problem(str(code or ""), str(member(body, "message") or ""))


def _dialect(secret: Secret) -> Dialect:
    return Dialect(provider=ESTUARY, secret=secret, problem=_problem, meanings={"42501": Forbidden})


class Estuary:
    """Estuary, as this process calls it with one service account.

    Args:
        secret: Where Vault keeps the account, for the sentence that says what to replace.
        base_url: Where the API is, or its twin.
        sleep: Waits for rights that do not show yet.
    """

    def __init__(self, secret: Secret, *, base_url: str, sleep: Sleep = asyncio.sleep) -> None:
        self._secret, self._sleep = secret, sleep
        self._api = Api(_dialect(secret), base_url=base_url)
        # On a host of their own at Estuary, and beside the API at whatever stands in for it.
        self.tables_url: Final = TABLES if base_url.rstrip("/") == ESTUARY.url else base_url
        self._tables = Api(_dialect(secret), base_url=self.tables_url)

    @asynccontextmanager
    async def open(self, fields: Mapping[str, SecretStr]) -> AsyncGenerator["Account"]:
        """The account, with a token that is good for an hour, until the block ends.

        Args:
            fields: As Vault keeps them.

        Raises:
            AuthDenied: The key is refused, is for one use, or a field is missing in Vault.
            ConnectorError: By the tree.
        """
        if missing := sorted(_FIELDS - fields.keys()):
            raise AuthDenied(f"Vault's secret {self._secret.path!r} lacks {', '.join(missing)}: put them there")
        token = await self._token(fields)
        tables = TablesAuth(token, apikey=fields["apikey"].get_secret_value())
        async with (
            self._api.open(Bearer(token, sleep=self._sleep)) as api,
            self._tables.open(tables) as rows,
        ):
            yield Account(api, rows)

    async def _token(self, fields: Mapping[str, SecretStr]) -> str:
        body = Exchange(
            refresh_token_id=fields["token_id"].get_secret_value(), secret=fields["secret"].get_secret_value()
        )
        async with self._api.open(HeaderAuth({})) as session:
            exchanged = await session.ask(Call(EXCHANGE_KEY, "an access token", body=body))
        if exchanged.refresh_token is not None:
            raise AuthDenied(
                f"the key in Vault's secret {self._secret.path!r} was for one use and is spent: make an API key of a "
                "service account, and put it there"
            )
        redact.register(exchanged.access_token)
        return exchanged.access_token.get_secret_value()


class Account:
    """What one service account sees and does. Drafts and publications are its own; another account has others."""

    def __init__(self, api: Session, tables: Session) -> None:
        self._api, self._tables = api, tables

    async def live(self, names: Sequence[str]) -> dict[str, SpecRef]:
        """What is published under these names, by name. What is not there is left out.

        Raises:
            Forbidden: The account may not look at one of them.
            ConnectorError: By the tree.
        """
        return await self._live(LiveSpecsBy(names=tuple(names)))

    async def live_below(self, prefix: str) -> dict[str, SpecRef]:
        """What is published below a prefix, by name.

        Raises:
            Forbidden: The account may not look at some of it.
            ConnectorError: By the tree.
        """
        return await self._live(LiveSpecsBy(prefix=prefix))

    async def _live(self, by: LiveSpecsBy) -> dict[str, SpecRef]:
        found = {one.catalog_name: one async for one in self._specs(LIVE_SPECS, by)}
        if hidden := sorted(name for name, one in found.items() if one.user_capability is None):
            raise Forbidden(
                f"Estuary does not show {', '.join(map(repr, hidden))} to this service account: grant it the prefix"
            )
        return {name: one for name, one in found.items() if one.live_spec is not None}

    async def statuses(self, wanted: LiveSpecsBy, *, most: int) -> tuple[list[SpecRef], bool]:
        """How specifications do, and whether there are more than `most`."""
        found = list[SpecRef]()
        async for one in self._specs(FLOW_STATUS, wanted):
            if one.live_spec is None:
                continue
            if len(found) == most:
                return found, True
            found.append(one)
        return found, False

    async def _specs(self, query: str, by: LiveSpecsBy) -> AsyncGenerator[SpecRef]:
        body = GraphRequest(query=query, variables=LiveSpecsVariables(by=by, first=_PAGE))
        async for page in pages(self._api, Call(QUERY, "the live specifications", body=body), _next_page):
            if page.errors or page.data is None:
                raise _refused(page)
            for edge in page.page.edges:
                yield edge.node

    async def drafts(self, detail: str) -> Sequence[Draft]:
        """Drafts of the account that say this of themselves."""
        query = {"detail": f"eq.{detail}", "select": "id,detail"}
        return await self._tables.ask(Call(LIST_DRAFTS, "the drafts", query=query))

    async def create_draft(self, detail: str) -> Draft:
        """An empty one."""
        made = await self._tables.ask(Call(CREATE_DRAFT, "a draft", body=NewDraft(detail=detail)))
        return _only(made, "a draft")

    async def delete_draft(self, draft: str) -> None:
        """Throw it away; one that is gone already is."""
        await self._tables.ask(Call(DELETE_DRAFT, "a draft", query={"id": f"eq.{draft}"}))

    async def stage(self, specs: Sequence[StagedSpec]) -> None:
        """Put specifications into a draft of theirs, over those of the same names."""
        query = {"on_conflict": "draft_id,catalog_name"}
        await self._tables.ask(Call(STAGE_SPECS, "a draft", query=query, body=StagedSpecs(tuple(specs))))

    async def staged(self, draft: str) -> set[str]:
        """The names that a draft holds."""
        query = {"draft_id": f"eq.{draft}", "select": "catalog_name"}
        found = await self._tables.ask(Call(LIST_STAGED, "a draft", query=query))
        return {one.catalog_name for one in found}

    async def errors(self, draft: str) -> Sequence[DraftError]:
        """What the last publication found wrong with a draft; nothing of one that is gone."""
        query = {"draft_id": f"eq.{draft}", "select": "scope,detail"}
        return await self._tables.ask(Call(LIST_ERRORS, "what stands against a draft", query=query))

    async def publications(self, detail: str) -> Sequence[Publication]:
        """Publications of the account that say this of themselves."""
        query = {"detail": f"eq.{detail}", "select": _PUBLICATION}
        return await self._tables.ask(Call(LIST_PUBLICATIONS, "the publications", query=query))

    async def publication(self, publication: str) -> Publication:
        """How far one is."""
        query = {"id": f"eq.{publication}", "select": _PUBLICATION}
        found = await self._tables.ask(Call(LIST_PUBLICATIONS, f"the publication {publication!r}", query=query))
        if len(found) != 1:
            raise MalformedAnswer(f"Estuary has {len(found)} publications {publication!r}; it is looked again")
        return found[0]

    async def publish(self, wanted: NewPublication) -> Publication:
        """Have a draft tried or published.

        Raises:
            OutcomeUnknown: Its answer was lost: look with `publications` whether it is there.
            ConnectorError: By the tree.
        """
        what = "a dry run" if wanted.dry_run else "a publication"
        return _only(await self._tables.ask(Call(CREATE_PUBLICATION, what, body=wanted)), what)

    async def logs(self, publication: Publication) -> Sequence[LogLine]:
        """What was said while it was tried or published."""
        body = LogsWanted(bearer_token=publication.logs_token.get_secret_value())
        return await self._tables.ask(Call(VIEW_LOGS, "the log of a publication", body=body))


def _next_page(call: Call[GraphAnswer], answered: Answered[GraphAnswer]) -> Call[GraphAnswer] | None:
    info = answered.read.page.page_info
    if not info.has_next_page or not isinstance(call.body, GraphRequest):
        return None
    if not info.end_cursor:
        raise MalformedAnswer("the list of live specifications has more, and does not say from where; it is read anew")
    variables = call.body.variables.model_copy(update={"after": info.end_cursor})
    return replace(call, body=call.body.model_copy(update={"variables": variables}))


def _refused(answer: GraphAnswer) -> ConnectorError:
    """What an answer means that came with 200 and says no."""
    if not answer.errors:
        return MalformedAnswer("Estuary answers a query with neither data nor errors; it is tried again")
    code = answer.errors[0].extensions.error
    kind = Forbidden if code in {"missing_capabilities", "unmasked_token_required"} else InvalidRequest
    said = redact.head("; ".join(one.message for one in answer.errors), _MOST_TOLD)
    return kind(f"Estuary refuses to show the live specifications: {said}", code=code)


def _only(made: Sequence[Made], what: str) -> Made:
    """The one row that was written. Without it nobody knows whether there is one."""
    if len(made) != 1:
        raise OutcomeUnknown(f"Estuary took {what} and answered {len(made)} rows: look whether it is there")
    return made[0]
