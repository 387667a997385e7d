"""A bucket that nobody reads by accident: private and versioned. Credentials are the engine's alone."""
# pyright: reportMissingImports=false, reportUnknownVariableType=false, reportUnknownMemberType=false
# pyright: reportUnknownArgumentType=false, reportAttributeAccessIssue=false
# The library of the cloud is where programs run, not where Banksman does.
# ruff: noqa: INP001 - a program of its own, not a package

import pulumi
import pulumi_gcp as gcp

config = pulumi.Config()

bucket = gcp.storage.Bucket(
    "assets",
    name=config.require("name"),
    location=config.get("location") or "EU",
    uniform_bucket_level_access=True,
    public_access_prevention="enforced",
    versioning=gcp.storage.BucketVersioningArgs(enabled=True),
    labels={"managed-by": "banksman"},
)

pulumi.export("bucket", bucket.name)
