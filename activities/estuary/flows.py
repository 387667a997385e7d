"""Steps that look at what is live at Estuary, try a publication, and publish what deletes nothing."""

import asyncio
from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import asynccontextmanager

from activities.estuary.contracts import (
    LOOK_AT_FLOW,
    PUBLISH_FLOW,
    TRY_FLOW,
    FlowChange,
    FlowPublished,
    FlowSeen,
    FlowSpec,
    FlowTried,
    LookAtFlowRequest,
    PublishFlowRequest,
    TryFlowRequest,
)
from activities.estuary.publishing import Ended, Row, Wanted, carried_out
from activities.estuary.seen import seen
from activities.secrets import StepTokens, secret_for_step
from activities.step import implements
from connectors.creation import Sleep
from connectors.errors import Conflict, InvalidRequest, NotFound
from connectors.estuary import manifest
from connectors.estuary.client import Account, Estuary
from connectors.estuary.models import EMPTY, NOT_THERE, SUCCESS, LiveSpec, LiveSpecsBy, SpecRef, same_id
from connectors.estuary.specs import losses, open_secrets, unchanged
from connectors.provider import Credential

_MOST_SEEN = 100


class FlowActivities:
    """The steps.

    Args:
        vault: Makes the token that reads the account.
        base_url: Where Estuary is.
        sleep: Waits between two looks at what takes a while.
    """

    def __init__(self, vault: StepTokens, *, base_url: str, sleep: Sleep = asyncio.sleep) -> None:
        self._vault, self._sleep = vault, sleep
        self._estuary = Estuary(manifest.ACCOUNT, base_url=base_url, sleep=sleep)

    @implements(LOOK_AT_FLOW)
    async def look_at_flow(self, request: LookAtFlowRequest) -> FlowSeen:
        """How specifications do; what is not there is left out.

        Raises:
            ConnectorError: As the tree in `connectors/errors.py` says; the guard maps it.
        """
        by = LiveSpecsBy(names=request.names) if request.names else LiveSpecsBy(prefix=request.prefix)
        async with self._account(manifest.READ) as account:
            found, more = await account.statuses(by, most=_MOST_SEEN)
        return FlowSeen(specs=tuple(map(seen, found)), more=more)

    @implements(TRY_FLOW)
    async def try_flow(self, request: TryFlowRequest) -> FlowTried:
        """What a publication would do, by a dry run of it against exactly what is live.

        Raises:
            Conflict: Somebody published meanwhile.
            NotFound: What is to be deleted is not there.
            ConnectorError: By the tree.
        """
        _require_fit(request.specs)
        async with self._account(manifest.PUBLISH) as account:
            live = await account.live(request.names)
            changes = (*(_change(one, live) for one in request.specs), *(_end(one, live) for one in request.delete))
            rows = tuple(_rows(changes, request.specs))
            if not rows:
                return FlowTried(changes=changes, ended=EMPTY)
            wanted = Wanted(rows=rows, dry_run=True, data_plane=request.data_plane)
            tried = await carried_out(account, wanted, sleep=self._sleep)
        return FlowTried(changes=changes, ended=tried.how, problems=_problems(tried))

    @implements(PUBLISH_FLOW)
    async def publish_flow(self, request: PublishFlowRequest) -> FlowPublished:
        """Publish, where that is live which is expected, and where nothing is deleted by it.

        Raises:
            Conflict: Something else is live. Nothing was published.
            InvalidRequest: Data would be deleted by it: that is another step, which people approve.
            ConnectorError: By the tree.
        """
        _require_fit(request.specs)
        rows = tuple(Row(name=one.name, type=one.type, model=one.model, expect=one.expect) for one in request.specs)

        async with self._account(manifest.PUBLISH) as account:

            async def look() -> None:
                _require_lossless(request, await account.live(request.names))

            wanted = Wanted(rows=rows, dry_run=False, data_plane=request.data_plane, last_look=look)
            return published(await carried_out(account, wanted, sleep=self._sleep))

    @asynccontextmanager
    async def _account(self, credential: Credential) -> AsyncGenerator[Account]:
        async with secret_for_step(self._vault, credential) as fields, self._estuary.open(fields) as account:
            yield account


def published(ended: Ended) -> FlowPublished:
    """What a step answers of it."""
    return FlowPublished(ended=ended.how, publication=ended.publication, problems=_problems(ended), log=ended.log)


def _problems(ended: Ended) -> tuple[str, ...]:
    if ended.how == SUCCESS or ended.problems:
        return ended.problems
    return ended.log[-1:] or (f"Estuary says {ended.how}, and no more",)


def _change(spec: FlowSpec, live: Mapping[str, SpecRef]) -> FlowChange:
    found = live[spec.name].live_spec if spec.name in live else None
    if found is None:
        return FlowChange(name=spec.name, type=spec.type, change="create", expect=NOT_THERE)
    _require_type(spec, found)
    same = unchanged(spec.model, found.model)
    return FlowChange(
        name=spec.name,
        type=spec.type,
        change="unchanged" if same else "update",
        expect=found.last_pub_id,
        losses=() if same else losses(spec.type, spec.model, found.model),
    )


def _end(name: str, live: Mapping[str, SpecRef]) -> FlowChange:
    found = live[name].live_spec if name in live else None
    if found is None:
        raise NotFound(
            f"Estuary has no {name!r}, or does not show it to this service account: nothing is to be deleted"
        )
    lost = "it is deleted" + (", with all of its data" if found.catalog_type == "collection" else "")
    return FlowChange(name=name, type=found.catalog_type, change="delete", expect=found.last_pub_id, losses=(lost,))


def _rows(changes: Iterable[FlowChange], specs: Iterable[FlowSpec]) -> Iterable[Row]:
    wanted = {one.name: one for one in specs}
    for one in changes:
        if one.change == "delete":
            yield Row(name=one.name, expect=one.expect)
        elif one.change != "unchanged":
            spec = wanted[one.name]
            yield Row(name=one.name, type=spec.type, model=spec.model, expect=one.expect)


def _require_fit(specs: Iterable[FlowSpec]) -> None:
    for one in specs:
        if one.model is None:
            raise InvalidRequest(f"to publish nothing as {one.name!r} deletes it, which people must approve")
        if places := open_secrets(one.model):
            raise InvalidRequest(f"{one.name!r} holds secrets that are not encrypted, at {', '.join(places)}")


def _require_type(spec: FlowSpec, live: LiveSpec) -> None:
    if live.catalog_type != spec.type:
        raise InvalidRequest(f"{spec.name!r} is a {live.catalog_type} at Estuary, and is to be a {spec.type}")


def _require_lossless(request: PublishFlowRequest, live: Mapping[str, SpecRef]) -> None:
    """Whoever asks for it: what is live may delete nothing by it, and must be what was planned on."""
    for one in request.specs:
        found = live[one.name].live_spec if one.name in live else None
        actual = found.last_pub_id if found else NOT_THERE
        if not same_id(actual, one.expect):
            raise Conflict(f"somebody published {one.name!r} since it was planned: nothing was published")
        if found:
            _require_type(one, found)
        if found and (lost := losses(one.type, one.model, found.model)):
            raise InvalidRequest(f"to publish {one.name!r} deletes data, which people must approve: {'; '.join(lost)}")
