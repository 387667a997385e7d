"""Plans of stacks, kept as the goals keep them: what is signed names the whole by its digest."""

import hashlib
from datetime import date

from connectors.artifacts import ArtifactStore
from connectors.pulumi.approval import (
    RESTORE_ACTION,
    UP_ACTION,
    DestroyStackParameters,
    RestoreStateParameters,
    UpdateStackParameters,
    approval_plan,
)
from connectors.pulumi.changes import ChangeKind, PropertyChange, ResourceChange
from connectors.pulumi.digests import ApprovedInputs
from connectors.pulumi.drift import DriftItem, DriftKind, DriftReport, QuietItem, SeenBy
from connectors.pulumi.prices import CostChange
from connectors.pulumi.stack_plan import PolicyFinding, StackPlan
from hitl.approval.plan import Plan

COMMIT = "4f0c2a9d1be83c5577aa0e9b6d12f3348cd9e071"
EVIL = "<img src=x onerror=alert(1)>'\"><script>alert(2)</script>"
HIDDEN = "gpj.\u202eexe\u200b"


def change(kind: ChangeKind, name: str, type_: str = "aws:s3/bucket:Bucket", **more: object) -> ResourceChange:
    fields = {"urn": f"urn:pulumi:prod::shop::{type_}::{name}", "type": type_, "name": name, "op": kind.value}
    return ResourceChange.model_validate(fields | {"change": kind} | more)


def differs(path: str, before: str | None, after: str | None, *, forces: bool = False) -> PropertyChange:
    kind = "add" if before is None else "delete" if after is None else "update"
    return PropertyChange(path=path, kind=kind, before=before, after=after, forces_replacement=forces)


def drifted(name: str, *properties: PropertyChange, gone: bool = False) -> DriftItem:
    return DriftItem(
        urn=f"urn:pulumi:prod::shop::aws:ecs/service:Service::{name}",
        type="aws:ecs/service:Service",
        name=name,
        kind=DriftKind.DELETED if gone else DriftKind.CHANGED,
        seen_by=SeenBy.PROVIDER if gone else SeenBy.COMPARISON,
        properties=properties,
        fingerprint="sha256:" + "0" * 64,
    )


def a_bit_of_all() -> StackPlan:
    """What a busy day brings."""
    changes = (
        change(
            ChangeKind.REPLACE,
            "orders",
            "aws:rds/instance:Instance",
            stateful="the data of the database",
            forced_by=("engineVersion",),
            deleted_first=True,
            monthly_usd_cents_before=4117,
            monthly_usd_cents=8234,
            properties=[
                differs("engineVersion", "15.4", "16.3", forces=True),
                differs("instanceClass", "db.t4g.small", "db.t4g.medium"),
                differs("password", "[secret]", "[secret]"),
            ],
        ),
        change(ChangeKind.DELETE, "exports", stateful="the objects in the bucket"),
        change(
            ChangeKind.UPDATE,
            "web",
            "aws:ecs/service:Service",
            properties=[
                differs("desiredCount", "2", "3"),
                differs("tags.owner", None, "shop"),
                differs("note", "x", ""),
            ],
        ),
        change(ChangeKind.CREATE, "cache", "aws:elasticache/cluster:Cluster", properties=[differs("nodes", None, "2")]),
    )
    quiet = QuietItem(item=drifted("noisy"), reason="the autoscaler owns the count", until=date(2027, 3, 1))
    return StackPlan(
        project="shop",
        stack="prod",
        commit=COMMIT,
        changes=changes,
        unchanged=41,
        outputs=(differs("endpoint", "db.old.example", "[known after the update]"),),
        drift=DriftReport(
            items=(drifted("gone-job", gone=True), drifted("web", differs("desiredCount", "2", "5"))),
            quiet=(quiet,),
            looked_at=45,
        ),
        overwrites=("web",),
        findings=(
            PolicyFinding(
                pack="house",
                version="1.4.0",
                policy="buckets-are-versioned",
                level="advisory",
                urn="urn:pulumi:prod::shop::aws:s3/bucket:Bucket::exports",
                message="Turn versioning on.",
            ),
        ),
        policy_packs={"house": "1.4.0"},
        cost=CostChange(adds_usd_cents=4117, unknown=("cache", "web")),
    )


def many(count: int) -> StackPlan:
    """A plan that nobody wants to read."""
    made = [
        change(
            ChangeKind.CREATE,
            f"bucket-{one:04}",
            properties=[differs(f"tags.t{two}", None, "v" * 90) for two in range(4)],
        )
        for one in range(count - 60)
    ]
    gone = [change(ChangeKind.DELETE, f"old-{one:04}", stateful="the objects in the bucket") for one in range(60)]
    return StackPlan(project="shop", stack="prod", commit=COMMIT, changes=(*gone, *made), unchanged=2)


def signed(plan: StackPlan, whole: str, *, action: str = UP_ACTION) -> Plan:
    """The plan that people approve, which names the whole one by this digest."""
    told = {
        "repository": "acme/shop",
        "folder": "infrastructure",
        "environment": "live",
        "project": plan.project,
        "stack": plan.stack,
        "prepared": whole,
        "salt": "v1:AAAA",
        "exported": whole,
        "whole_plan": whole,
    }
    if action == RESTORE_ACTION:
        own = {"commit": plan.commit, "state": "0" * 64, "restored": "1" * 64, "backup": whole, "image": whole}
        return approval_plan(plan, RestoreStateParameters.model_validate(told | own), action=action)
    if action != UP_ACTION:
        own = {"commit": plan.commit, "state": "0" * 64, "image": whole}
        return approval_plan(plan, DestroyStackParameters.model_validate(told | own), action=action)
    inputs = ApprovedInputs(
        commit=plan.commit,
        program=whole,
        configuration=whole,
        plan_file=whole,
        image=whole,
        program_image=whole,
        state="0" * 64,
    )
    return approval_plan(plan, UpdateStackParameters.model_validate(told | {"inputs": inputs}), action=action)


async def kept(store: ArtifactStore, plan: StackPlan) -> str:
    """Its digest in the store."""
    return await store.put(plan.model_dump_json().encode())


def digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
