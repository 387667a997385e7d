"""Secrets on their way to one sandbox run: response-wrapped, so that they are opened once, and sealed for that run.

What travels through a workflow's history is ciphertext of a wrapping token, made by the transit key `handover`. Only
the sandbox worker may decrypt with that key, and only together with the run it was sealed for: neither the goals
worker, which reads histories, nor another run, nor a second attempt gets at the secrets. A wrapping token alone would
open for whoever reads the history first.
"""

import base64
from collections.abc import Mapping
from datetime import timedelta
from typing import Final

import structlog
from pydantic import SecretStr

from connectors.errors import AuthDenied, Conflict, InvalidRequest, OutcomeUnknown
from connectors.vault.known import known
from connectors.vault.transport import Transport, fields

KEY: Final = "handover"
"""The transit key's name."""

_MADE_BY: Final = "sys/wrapping/wrap"
_log = structlog.get_logger("banksman.vault")


async def seal(
    transport: Transport, token: SecretStr, secrets: Mapping[str, SecretStr], *, run: str, ttl: timedelta
) -> str:
    """Wrap these secrets and seal the wrapping token.

    Args:
        transport: To Vault.
        token: One that may encrypt with the key.
        secrets: By the names of the files that they become.
        run: What they are for; they open for nothing else.
        ttl: How long they wait for the run.

    Returns:
        Text that may stand in a history.

    Raises:
        ConnectorError: By the tree.
    """
    values = {name: value.get_secret_value() for name, value in secrets.items()}
    wrapped = await transport.call(
        "the secrets of a run", token, lambda vault: vault.sys.wrap(payload=values, ttl=int(ttl.total_seconds()))
    )
    plain = _encoded(fields(wrapped, "wrap_info", "token"))
    answer = await transport.call(
        "the seal of a run's secrets",
        token,
        lambda vault: vault.secrets.transit.encrypt_data(name=KEY, plaintext=plain, associated_data=_encoded(run)),
    )
    return str(fields(answer, "data", "ciphertext"))


async def unseal(transport: Transport, token: SecretStr, sealed: str, *, run: str) -> Mapping[str, SecretStr]:
    """Open what was sealed for this run. It works once.

    Raises:
        InvalidRequest: It was sealed for another run, or is no such text.
        Conflict: It was opened before or is too old: whoever sealed it must seal it anew.
        ConnectorError: By the tree.
    """
    try:
        answer = await transport.call(
            "the seal of a run's secrets",
            token,
            lambda vault: vault.secrets.transit.decrypt_data(
                name=KEY, ciphertext=sealed, associated_data=_encoded(run)
            ),
        )
    except InvalidRequest as error:
        raise InvalidRequest(
            f"these secrets were not sealed for {run!r}: seal them for the run that uses them"
        ) from error
    wrapping = SecretStr(base64.b64decode(fields(answer, "data", "plaintext")).decode())
    try:
        return await _unwrap(transport, wrapping)
    except (InvalidRequest, AuthDenied) as error:
        _log.warning("the secrets of a run were opened before, or are too old", run=run)
        raise Conflict(
            f"the secrets for {run!r} were opened before, or are too old: seal them again. If this run was never tried "
            "before, find out who opened them"
        ) from error
    except OutcomeUnknown as error:  # as when another opens them at this moment
        raise Conflict(
            f"Vault did not say whether the secrets for {run!r} were opened by this: seal them again"
        ) from error


async def _unwrap(transport: Transport, wrapping: SecretStr) -> Mapping[str, SecretStr]:
    found = await transport.call(
        "the wrapped secrets",
        None,
        lambda vault: vault.adapter.post("/v1/sys/wrapping/lookup", json={"token": wrapping.get_secret_value()}),
    )
    if fields(found, "data", "creation_path") != _MADE_BY:
        raise InvalidRequest("the wrapping token was not made for secrets")
    answer = await transport.call("the wrapped secrets", wrapping, lambda vault: vault.sys.unwrap(), once=True)
    return known({name: SecretStr(str(value)) for name, value in fields(answer, "data").items()})


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
