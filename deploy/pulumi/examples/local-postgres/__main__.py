"""A database with its role, and a note about them."""
# pyright: reportMissingImports=false, reportUnknownVariableType=false, reportUnknownMemberType=false
# pyright: reportUnknownArgumentType=false, reportAttributeAccessIssue=false
# Pulumi's library is where programs run, not where Banksman does.
# ruff: noqa: INP001 - a program of its own, not a package

import pulumi
from banksman_local import Database, File, Role

config = pulumi.Config()
name = config.get("database") or "shop"

role = Role("owner", name=f"{name}_owner", password=config.get_secret("password"), comment="owns the database")
database = Database(
    "database",
    name=name,
    owner=role.name,
    locale=config.get("locale") or "C",
    connection_limit=config.get_int("connectionLimit") or 20,
    comment=config.get("comment") or "made by Pulumi",
)
if config.get_bool("note"):
    File("note", path=f"{name}/readme.txt", content=f"The database {name} belongs to {name}_owner.\n")

pulumi.export("database", database.name)
pulumi.export("owner", role.name)
