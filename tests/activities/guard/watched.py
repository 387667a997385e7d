"""A goal that hears how far its step is; apart, because the workflow sandbox takes no module that pytest rewrites."""

import asyncio
from datetime import timedelta

from temporalio import activity, workflow

with workflow.unsafe.imports_passed_through():
    from activities.pulumi.contracts import StackProgress
    from activities.pulumi.progress import LiveStack
    from sandbox.pulumi.outcome import ResourceProgress

URN = "urn:pulumi:dev::shop::banksman:postgres:Database::shop-{}"


def told(what: str, number: int = 0, *, op: str = "create", planning: bool = False) -> ResourceProgress:
    fields = {"what": what, "op": op, "urn": URN.format(number), "type": "banksman:postgres:Database"}
    return ResourceProgress.model_validate({**fields, "planning": planning})


@activity.defn(name="test.apply")
async def apply() -> None:
    """Three resources at once, then one later."""
    live = LiveStack(signals=True, every=0.2)
    for number in range(3):
        live.take(told("begun", number))
        live.take(told("done", number))
    await asyncio.sleep(0.3)
    live.take(told("failed", 3))
    await live.end()


@workflow.defn(name="Watched")
class Watched:
    def __init__(self) -> None:
        self._heard: list[StackProgress] = []

    @workflow.signal(name="stack_progress")
    def stack_progress(self, progress: StackProgress) -> None:
        self._heard.append(progress)

    @workflow.run
    async def run(self) -> list[StackProgress]:
        await workflow.execute_activity(apply, start_to_close_timeout=timedelta(seconds=20))
        await workflow.wait_condition(lambda: bool(self._heard) and self._heard[-1].failed == 1)
        return self._heard
