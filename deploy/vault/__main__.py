"""`python -m deploy.vault`: prepares a production Vault. Reads the token from a file or standard input, never argv."""

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import requests  # noqa: TID251 - hvac's own exceptions
import typer
from hvac import exceptions
from pydantic import SecretStr

from deploy.vault.bootstrap import BootstrapResult, bootstrap


def main(
    address: Annotated[str, typer.Option(help="Vault's base URL.")],
    *,
    token_file: Annotated[
        Path | None, typer.Option(help="Holds an administrator's token; standard input when left out.")
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="Say what would change, and change nothing.")] = False,
    deliverer_token: Annotated[Path | None, typer.Option(help="Write a deliverer's token to this 0600 file.")] = None,
) -> None:
    """Put into Vault what Banksman needs: policies, AppRoles, token roles, keys. Running it twice is harmless."""
    text = token_file.read_text(encoding="utf-8") if token_file else sys.stdin.read()
    try:
        result = asyncio.run(
            bootstrap(
                address=address,
                token=SecretStr(text.strip()),
                report=lambda change: typer.echo(f"  {change}"),
                check=check,
                deliverer=deliverer_token is not None,
            )
        )
    except (exceptions.VaultError, requests.RequestException) as error:
        typer.echo(f"error: Vault at {address} refuses or is not there: {error}", err=True)
        raise typer.Exit(1) from error
    if not check:
        _tell(result, deliverer_token)


def _tell(result: BootstrapResult, deliverer_token: Path | None) -> None:
    for role, role_id in result.role_ids.items():
        typer.echo(f"  role id of {role}: {role_id}")
    if deliverer_token is not None:
        deliverer_token.touch(mode=0o600)
        deliverer_token.chmod(0o600)
        deliverer_token.write_text(result.deliverer_token.get_secret_value(), encoding="utf-8")
        typer.echo(f"  wrote a deliverer's token to {deliverer_token}")


if __name__ == "__main__":
    typer.run(main)
