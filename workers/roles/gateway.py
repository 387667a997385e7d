"""The gateway: messages as steps, and beside them the listeners."""

from collections.abc import Sequence
from typing import Final

from temporalio.client import Client
from temporalio.worker import Worker

from activities.guard.key_ring import KeyRing
from activities.queues import TaskQueue
from activities.step import implemented
from connectors.slack.manifest import APP
from hitl.slack.steps import SlackSteps
from workers.console import NoConsole, github_sign_in
from workers.gateway import SECRETS, Gateway
from workers.guarded import guarded_worker
from workers.process import APPROVAL_KEYS, CannotStart, Process, serve, together
from workers.serving import CannotListen
from workers.settings import Role, Settings
from workers.temporal import cluster_id

_AT_ONCE: Final = 8
_POSTS_AT_ONCE: Final = 4
_FOLLOWED_AT_ONCE: Final = 500
_HANDED_OUT: Final = 1.25
"""Of what Slack takes. The server gives each part of a queue its own share of the rate, and one that is empty for a
while loses its: at exactly Slack's rate, fewer messages would come."""


async def run(process: Process) -> int:
    """Who asked for a goal is told by the same keys that decisions are signed with."""
    keys = KeyRing(lambda: process.vault.public_keys(APPROVAL_KEYS))
    cluster = await cluster_id(process.client)
    secrets = dict(await process.vault.read(APP.path))
    if missing := SECRETS - secrets.keys():
        raise CannotStart(f"Vault's secret {APP.path!r} lacks {', '.join(sorted(missing))}: put them there")
    try:
        gateway = Gateway(
            process.client,
            process.settings,
            process.vault,
            cluster=cluster,
            secrets=secrets,
            keys=keys,
            sign_in=await github_sign_in(process.vault, process.settings),
        )
    except (CannotListen, NoConsole) as error:
        raise CannotStart(str(error)) from error
    workers = gateway_workers(process.client, process.settings, gateway.steps, gateway.beside, gateway.waits)
    return await serve(*workers, process=process, beside=together(keys.keep_fresh(), gateway.serve()))


def gateway_workers(
    client: Client, settings: Settings, steps: SlackSteps, beside: Sequence[object], waits: Sequence[object]
) -> tuple[Worker, Worker, Worker]:
    """Show approvals to people, keep what they think, and tell what goals did; several processes may.

    Few steps at once in either: the others wait in Temporal, where waiting costs nothing, and none of those that are
    here waits longer for its turn at Slack than a step may. New messages have a queue of their own, because its rate is
    the one limit that all gateways share; within it, each keeps to Slack's own rate. What was put on the other queue
    before there was this one is still taken.
    """
    shows = guarded_worker(client, settings, Role.GATEWAY, implemented(steps, *beside), at_once=_AT_ONCE)
    posts = guarded_worker(
        client,
        settings,
        Role.GATEWAY,
        [steps.post_approval, steps.tell_parked, steps.tell_lease],
        queue=TaskQueue.POSTS,
        at_once=_POSTS_AT_ONCE,
        a_second=_HANDED_OUT * settings.slack_posts_per_second,
    )
    following = guarded_worker(
        client, settings, Role.GATEWAY, implemented(*waits), queue=TaskQueue.FOLLOWS, at_once=_FOLLOWED_AT_ONCE
    )
    return shows, posts, following
