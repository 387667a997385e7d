"""The service of the provider `banksman` (deploy/pulumi/provider): it runs on the embedded environment's platform.

A program talks to the engine only: it holds no address and no credential of the platform.
"""
# pyright: reportMissingImports=false, reportUntypedBaseClass=false, reportUnknownParameterType=false
# pyright: reportUnknownVariableType=false, reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportAttributeAccessIssue=false, reportGeneralTypeIssues=false
# Pulumi's library is where programs run, not where Banksman does.
# ruff: noqa: INP001 - a program of its own, not a package

from collections.abc import Mapping, Sequence

import pulumi


class Service(pulumi.CustomResource):
    """A web service: its files run as they are, a new release beside the one before until the watch ends."""

    url: pulumi.Output[str]

    def __init__(  # noqa: PLR0913 - each is a property of the resource
        self,
        resource: str,
        *,
        name: pulumi.Input[str],
        files: Mapping[str, str],
        command: Sequence[str] = ("python3", "main.py"),
        health: str = "/",
        share: int = 100,
        watch_seconds: int = 0,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        properties = {
            "name": name,
            "files": dict(files),
            "command": list(command),
            "health": health,
            "share": share,
            "watchSeconds": watch_seconds,
            "url": None,
            "newestUrl": None,
        }
        super().__init__("banksman:platform:Service", resource, properties, opts)

    @property
    def newest_url(self) -> pulumi.Output[str]:
        """Where the newest release is by itself, whatever its share is."""
        return pulumi.get(self, "newestUrl")
