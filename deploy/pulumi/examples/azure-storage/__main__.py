"""A storage account that nobody reads by accident. Credentials are the engine's alone."""
# pyright: reportMissingImports=false, reportUnknownVariableType=false, reportUnknownMemberType=false
# pyright: reportUnknownArgumentType=false, reportAttributeAccessIssue=false
# The library of the cloud is where programs run, not where Banksman does.
# ruff: noqa: INP001 - a program of its own, not a package

import pulumi
import pulumi_azure_native as azure

config = pulumi.Config()

group = azure.resources.ResourceGroup("group", location=config.get("location") or "westeurope")
account = azure.storage.StorageAccount(
    "assets",
    account_name=config.require("account"),
    resource_group_name=group.name,
    location=group.location,
    kind=azure.storage.Kind.STORAGE_V2,
    sku=azure.storage.SkuArgs(name=azure.storage.SkuName.STANDARD_LRS),
    allow_blob_public_access=False,
    minimum_tls_version=azure.storage.MinimumTlsVersion.TLS1_2,
    tags={"managed-by": "banksman"},
)

pulumi.export("account", account.name)
