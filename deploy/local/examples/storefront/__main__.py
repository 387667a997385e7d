"""The shop, as a service of the platform: the files in `app`, and the manifest that says what it needs."""
# pyright: reportMissingImports=false, reportUnknownVariableType=false, reportUnknownMemberType=false
# pyright: reportUnknownArgumentType=false, reportAttributeAccessIssue=false
# Pulumi's library is where programs run, not where Banksman does.
# ruff: noqa: INP001 - a program of its own, not a package

from pathlib import Path

import pulumi
from banksman_local import Service

HERE = Path(__file__).parent

FILES = (*sorted((HERE / "app").glob("*.py")), HERE / "banksman.yaml")

config, stack = pulumi.Config(), pulumi.get_stack()
service = Service(
    "storefront",
    name="storefront" if stack == "live" else f"storefront-{stack}",
    files={path.relative_to(HERE).as_posix(): path.read_text(encoding="utf-8") for path in FILES},
    command=("python3", "-m", "app.main"),
    health="/healthz",
    share=config.require_int("share"),
    watch_seconds=config.require_int("watchSeconds"),
)
pulumi.export("url", service.url)
pulumi.export("newestUrl", service.newest_url)
