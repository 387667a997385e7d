"""How a process of ours reaches Temporal, and what it is called there."""

import asyncio
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Final, TypedDict

from temporalio.api.workflowservice.v1 import GetClusterInfoRequest
from temporalio.client import Client, Plugin, TLSConfig
from temporalio.converter import PayloadCodec
from temporalio.runtime import Runtime
from temporalio.worker import Worker

from workers.replayed import SOURCES, replayed_digest
from workers.settings import Settings
from workflows.converter import data_converter

DEPLOYMENT_NAME: Final = "banksman-goals"


def build_id(sources: Path = SOURCES) -> str:
    """This release, as worker versioning knows it: the version and a digest of the code that replays.

    Args:
        sources: The folder that our packages lie in.
    """
    return f"{version('banksman')}-{replayed_digest(sources)[:12]}"


async def connect(
    settings: Settings,
    *,
    codec: PayloadCodec | None = None,
    plugins: Sequence[Plugin] = (),
    runtime: Runtime | None = None,
    lazy: bool = False,
) -> Client:
    """A Temporal client as these settings say."""
    return await Client.connect(
        settings.temporal_address,
        namespace=settings.temporal_namespace,
        data_converter=data_converter(codec),
        plugins=plugins,
        runtime=runtime,
        tls=await asyncio.to_thread(_tls, settings),
        lazy=lazy,
    )


def _tls(settings: Settings) -> TLSConfig | bool:
    files = (settings.temporal_tls_ca, settings.temporal_tls_cert, settings.temporal_tls_key)
    if not any(files):
        return False
    ca, cert, key = (file.read_bytes() if file else None for file in files)
    return TLSConfig(server_root_ca_cert=ca, client_cert=cert, client_private_key=key)


async def cluster_id(client: Client) -> str:
    """The id of the Temporal cluster, as the server says it: a decision is signed for one cluster."""
    return (await client.workflow_service.get_cluster_info(GetClusterInfoRequest())).cluster_id


class RegisteredNames(TypedDict):
    """What Temporal knows the workflows and steps of some workers by."""

    workflow_types: frozenset[str]
    activity_types: frozenset[str]


def registered_names(workers: Iterable[Worker]) -> RegisteredNames:
    """The names of all that these workers run; a dynamic workflow has none."""
    workflows: list[object] = []
    activities: list[object] = []
    for worker in workers:
        config = worker.config()
        workflows += config.get("workflows", ())
        activities += config.get("activities", ())
    return {"workflow_types": _names("workflow", workflows), "activity_types": _names("activity", activities)}


def _names(kind: str, defined: Iterable[object]) -> frozenset[str]:
    found = [getattr(getattr(one, f"__temporal_{kind}_definition", None), "name", None) for one in defined]
    return frozenset(str(name) for name in found if name)
