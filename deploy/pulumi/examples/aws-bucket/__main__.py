"""A bucket that nobody reads by accident: private, versioned, encrypted. Credentials are the engine's alone."""
# pyright: reportMissingImports=false, reportUnknownVariableType=false, reportUnknownMemberType=false
# pyright: reportUnknownArgumentType=false, reportAttributeAccessIssue=false
# The library of the cloud is where programs run, not where Banksman does.
# ruff: noqa: INP001 - a program of its own, not a package

import pulumi
import pulumi_aws as aws

config = pulumi.Config()
name = config.get("name") or "banksman-example"

bucket = aws.s3.Bucket("assets", bucket_prefix=f"{name}-", tags={"managed-by": "banksman"})
aws.s3.BucketVersioning(
    "versions",
    bucket=bucket.id,
    versioning_configuration=aws.s3.BucketVersioningVersioningConfigurationArgs(status="Enabled"),
)
aws.s3.BucketPublicAccessBlock(
    "private",
    bucket=bucket.id,
    block_public_acls=True,
    block_public_policy=True,
    ignore_public_acls=True,
    restrict_public_buckets=True,
)

pulumi.export("bucket", bucket.id)
