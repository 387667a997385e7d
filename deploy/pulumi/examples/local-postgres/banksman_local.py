"""The resources of the provider `banksman` (deploy/pulumi/provider): real ones, on any machine.

A program talks to the engine only: it holds no address and no credential of the server.
"""
# pyright: reportMissingImports=false, reportUntypedBaseClass=false, reportUnknownParameterType=false
# pyright: reportUnknownVariableType=false, reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportAttributeAccessIssue=false, reportGeneralTypeIssues=false
# Pulumi's library is where programs run, not where Banksman does.
# ruff: noqa: INP001 - a program of its own, not a package

import pulumi


class Role(pulumi.CustomResource):
    """A PostgreSQL role. Its password cannot be read back: a change of it by hand is not seen."""

    name: pulumi.Output[str]

    def __init__(
        self,
        resource: str,
        *,
        name: pulumi.Input[str],
        password: pulumi.Input[str] | None = None,
        comment: pulumi.Input[str] = "",
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        properties = {"name": name, "login": password is not None, "comment": comment, "password": password}
        super().__init__("banksman:postgres:Role", resource, properties, opts)


class Database(pulumi.CustomResource):
    """A PostgreSQL database. Another name or locale makes it anew, and its data is lost."""

    name: pulumi.Output[str]

    def __init__(  # noqa: PLR0913 - each is a property of the resource
        self,
        resource: str,
        *,
        name: pulumi.Input[str],
        owner: pulumi.Input[str] | None = None,
        locale: pulumi.Input[str] = "C",
        connection_limit: pulumi.Input[int] = -1,
        comment: pulumi.Input[str] = "",
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        properties = {
            "name": name,
            "owner": owner,
            "locale": locale,
            "connectionLimit": connection_limit,
            "comment": comment,
        }
        super().__init__("banksman:postgres:Database", resource, properties, opts)


class File(pulumi.CustomResource):
    """A text file in the engine's folder for files. Another path makes it anew."""

    path: pulumi.Output[str]

    def __init__(
        self,
        resource: str,
        *,
        path: pulumi.Input[str],
        content: pulumi.Input[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("banksman:files:File", resource, {"path": path, "content": content}, opts)
