"""The goal `SwitchCollection`: build beside, verify, switch the alias in one change, and keep the old one."""

from typing import Final

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.guard.error_types import ErrorType, application_error
    from activities.qdrant.collection_contracts import (
        COPY_POINTS,
        CREATE_COLLECTION,
        LOOK_AT_ALIAS,
        SNAPSHOT_COLLECTION,
        SWITCH_ALIAS,
        VERIFY_COLLECTION,
        AliasSeen,
        CollectionVerified,
        CopyPointsRequest,
        CreateCollectionRequest,
        LookAtAliasRequest,
        PointId,
        SnapshotRequest,
        SwitchAliasRequest,
        VerifyCollectionRequest,
    )
    from workflows.contracts import State
    from workflows.goal import Goal
    from workflows.goal_type import goal
    from workflows.qdrant.goals import SWITCH_COLLECTION, SwitchCollectionInput, SwitchCollectionResult

_MOST_MISSED: Final = 0.2
"""A search for the nearest is not exact: of the points that are searched for, so many may be missed."""


@goal(SWITCH_COLLECTION)
class SwitchCollectionWorkflow(Goal):
    """Nothing that serves is touched before the new collection is seen to serve."""

    @workflow.init
    def __init__(self, request: SwitchCollectionInput) -> None:
        super().__init__(request)
        self._wanted = request
        self._result = SwitchCollectionResult(
            cluster=request.cluster, alias=request.alias, collection=request.collection
        )

    @workflow.run
    async def run(self, request: SwitchCollectionInput) -> SwitchCollectionResult:
        """Switch; a refusal is a result, whoever refuses."""
        del request
        return await self.run_goal(
            self._switch(),
            denied=lambda reason: self._result.model_copy(update={"outcome": State.DENIED, "reason": reason}),
        )

    async def _switch(self) -> SwitchCollectionResult:
        wanted = self._wanted
        seen = await self._look(f"Look what {wanted.alias} stands for")
        if seen.behind == wanted.collection:
            return self._result
        self._require_possible(seen)
        self._told(previous=seen.behind)
        await self._snapshot(seen)
        if not seen.exists and seen.behind is not None:
            await self._build(seen.behind)
        if (problem := await self._verify(seen)) is not None:
            self._told(outcome=State.REFUSED, reason=problem)
            return self._result
        request = SwitchAliasRequest(
            cluster=wanted.cluster, alias=wanted.alias, collection=wanted.collection, expected=seen.behind
        )
        await self.step(SWITCH_ALIAS, request, summary=wanted.summary())
        await self._require_switched()
        return self._result

    def _told(self, **more: object) -> None:
        self._result = self._result.model_copy(update=more)

    async def _look(self, summary: str) -> AliasSeen:
        wanted = self._wanted
        request = LookAtAliasRequest(cluster=wanted.cluster, alias=wanted.alias, collection=wanted.collection)
        return await self.step(LOOK_AT_ALIAS, request, summary=summary)

    def _require_possible(self, seen: AliasSeen) -> None:
        wanted = self._wanted
        if seen.shadowed:
            raise application_error(
                ErrorType.INVALID_REQUEST,
                f"{wanted.cluster!r} has a collection called {wanted.alias!r}, so that no alias can be: take another",
            )
        if seen.behind is None and not seen.exists:
            raise application_error(
                ErrorType.NOT_FOUND,
                f"{wanted.cluster!r} has neither an alias {wanted.alias!r} nor a collection {wanted.collection!r}: "
                "there is nothing to build it from",
            )

    async def _snapshot(self, seen: AliasSeen) -> None:
        if self._wanted.snapshot and seen.behind is not None:
            request = SnapshotRequest(cluster=self._wanted.cluster, collection=seen.behind, known=seen.snapshots)
            made = await self.step(SNAPSHOT_COLLECTION, request, summary=f"Make a snapshot of {seen.behind}")
            self._told(snapshot=made.name)

    async def _build(self, source: str) -> None:
        wanted = self._wanted
        request = CreateCollectionRequest(
            cluster=wanted.cluster,
            collection=wanted.collection,
            like=source,
            distance=wanted.distance,
            on_disk=wanted.on_disk,
            quantized=wanted.quantized,
            indexes=wanted.indexes,
        )
        await self.step(CREATE_COLLECTION, request, summary=f"Make {wanted.collection} like {source}")
        copied, start = 0, await self._copy(source, None, copied=0)
        while start is not None:
            copied += 1
            start = await self._copy(source, start, copied=copied)
        self._told(built=True)

    async def _copy(self, source: str, start: PointId | None, *, copied: int) -> PointId | None:
        target = self._wanted.collection
        request = CopyPointsRequest(cluster=self._wanted.cluster, source=source, target=target, start=start)
        done = await self.step(COPY_POINTS, request, summary=f"Copy points to {target}, part {copied + 1}")
        return done.following

    async def _verify(self, seen: AliasSeen) -> str | None:
        """Why the alias stays where it is; None where nothing speaks against it."""
        wanted = self._wanted
        request = VerifyCollectionRequest(cluster=wanted.cluster, collection=wanted.collection, against=seen.behind)
        found = await self.step(VERIFY_COLLECTION, request, summary=f"Count and search {wanted.collection}")
        self._told(points=found.points, probed=found.probed, found=found.found)
        return _problem(wanted, seen.behind, found)

    async def _require_switched(self) -> None:
        """Look, with a key that only reads: whoever takes the queue can say that it is done."""
        wanted = self._wanted
        after = await self._look(f"Verify what {wanted.alias} stands for")
        if after.behind != wanted.collection:
            raise application_error(
                ErrorType.OUTCOME_UNKNOWN,
                f"{wanted.alias!r} of {wanted.cluster!r} is said to stand for {wanted.collection!r} and stands for "
                f"{after.behind!r}: look at what happened there",
            )


def _problem(wanted: SwitchCollectionInput, behind: str | None, found: CollectionVerified) -> str | None:
    kept = f"{wanted.alias} still stands for {behind}" if behind else f"{wanted.alias} was not made"
    fewest = wanted.fewest_points if wanted.fewest_points is not None else found.against or 0
    if found.points < fewest:
        whose = f"{behind} has {fewest}" if wanted.fewest_points is None else f"{fewest} were asked for"
        return (
            f"{wanted.collection} has {found.points} points, and {whose}: {kept}. Fill it, say `fewest_points`, or "
            "delete it and ask again"
        )
    if found.probed - found.found > found.probed * _MOST_MISSED:
        return (
            f"{wanted.collection} was searched for {found.probed} of its own points and found {found.found}: {kept}. "
            "Its index may still be in the making: ask again"
        )
    return None
