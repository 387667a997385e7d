"""Whose it is that is to be forgotten: names as people give them, and how Temporal finds what is kept of them.

A name is checked before it comes near a query, and stands in it as one literal: no name finds what another one is of.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from pydantic import TypeAdapter, ValidationError
from temporalio.client import Client, WorkflowExecution, WorkflowExecutionStatus
from temporalio.common import SearchAttributeKey

from hitl.approval.approvers import folded
from hitl.gateway.server import quoted
from hitl.github.events import RepositoryName
from workflows.contracts import REPOSITORY_ATTRIBUTE, REQUESTER_ATTRIBUTE
from workflows.github.contracts import DELIVERY_WORKFLOW, delivery_id
from workflows.github.installation_contracts import (
    INSTALLATION_MEMO,
    INSTALLATION_WORKFLOW,
    InstallationState,
    installation_id,
)

_LOGIN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")
_REPOSITORY: Final[TypeAdapter[str]] = TypeAdapter(RepositoryName)
NAMELESS: Final = f"WorkflowType = {quoted(DELIVERY_WORKFLOW)} AND {REQUESTER_ATTRIBUTE.name} IS NULL"
"""Deliveries that do not say who caused them: of an earlier release, or GitHub did not say."""


class WrongName(Exception):
    """Nothing can have this name; or it is not clear whose it is."""


@dataclass(frozen=True, kw_only=True)
class Scope:
    """Whose it is.

    Attributes:
        key: The search attribute that says of an execution whose it is.
        names: Its values.
        owners: Owners of repositories, where all of theirs are meant.
        ids: Workflows that are meant whatever they say.
    """

    key: SearchAttributeKey[str]
    names: tuple[str, ...] = ()
    owners: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()

    def queries(self) -> Iterator[str]:
        """For Temporal's visibility; together they find all of it."""
        if self.names:
            yield f"{self.key.name} IN ({', '.join(map(quoted, self.names))})"
        for owner in self.owners:
            yield f"{self.key.name} STARTS_WITH {quoted(f'{owner}/')}"
        if self.ids:
            yield f"WorkflowId IN ({', '.join(map(quoted, self.ids))})"

    def is_of_others(self, one: WorkflowExecution) -> bool:
        """Whether it names somebody else; what names nobody is whoever's began it."""
        said = one.typed_search_attributes.get(self.key)
        return not (said is None or said in self.names or said.partition("/")[0] in self.owners)


def of_people(logins: tuple[str, ...]) -> Scope:
    """What these people asked for or caused on GitHub. A login is the same in every case.

    Raises:
        WrongName: That is no login.
    """
    for one in logins:
        if not _LOGIN.fullmatch(one):
            raise WrongName(f"{one!r} is no login of GitHub's; write it as in alice")
    return Scope(key=REQUESTER_ATTRIBUTE, names=tuple(folded(f"github:{one}") for one in logins))


def of_repositories(names: tuple[str, ...]) -> Scope:
    """What was done in these repositories, or about them.

    Raises:
        WrongName: That is no repository.
    """
    for one in names:
        try:
            _REPOSITORY.validate_python(one)
        except ValidationError:
            raise WrongName(f"{one!r} is no repository of GitHub's; write OWNER/NAME, as in acme/shop") from None
    return Scope(key=REPOSITORY_ATTRIBUTE, names=names)


async def of_installations(client: Client, numbers: tuple[int, ...]) -> Scope:
    """These installations, the deliveries that told of them, and what is of the repositories of their accounts.

    Raises:
        RPCError: The server does not answer.
        WrongName: The account has the App installed again, so that its repositories are no longer of this one alone.
    """
    ids: list[str] = []
    owners: list[str] = []
    for number in numbers:
        ids.append(installation_id(number))
        if (state := await _state(client, number)) is None:
            continue
        ids += [delivery_id(guid) for guid in state.seen]
        if state.account is not None:
            await _refuse_other(client, state.account.login, numbers)
            owners.append(state.account.login)
    return Scope(key=REPOSITORY_ATTRIBUTE, owners=tuple(dict.fromkeys(owners)), ids=tuple(ids))


async def _state(client: Client, number: int) -> InstallationState | None:
    """How it stands, or stood at its end; None where Temporal keeps nothing of it."""
    newest: WorkflowExecution | None = None
    async for one in client.list_workflows(f"WorkflowId = {quoted(installation_id(number))}"):
        if one.workflow_type == INSTALLATION_WORKFLOW and (newest is None or one.start_time > newest.start_time):
            newest = one
    return None if newest is None else await _told(newest)


async def _told(one: WorkflowExecution) -> InstallationState | None:
    said = await one.memo_value(INSTALLATION_MEMO, None)
    return None if said is None else InstallationState.model_validate(said)


async def _refuse_other(client: Client, login: str, numbers: tuple[int, ...]) -> None:
    query = f"WorkflowType = {quoted(INSTALLATION_WORKFLOW)} AND ExecutionStatus = 'Running'"
    async for one in client.list_workflows(query):
        state = await _told(one) if one.status is WorkflowExecutionStatus.RUNNING else None
        if state is None or state.account is None or state.number in numbers:
            continue
        if state.account.login.lower() == login.lower():
            raise WrongName(
                f"{login!r} has the App installed again, as {state.number}: name that one too, or its repositories"
            )
