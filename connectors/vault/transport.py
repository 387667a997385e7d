"""How this package talks to Vault: `hvac` in threads, one pooled connection, one place where its errors are ours.

`hvac` is blocking; a call runs in a thread with the caller's context, so that its HTTP span belongs to the step.
Nothing is retried here: Temporal retries the step. Vault and OpenBao answer alike on every path used (OpenBao 2.7).
"""

import asyncio
import contextlib
from collections.abc import Callable, Generator
from datetime import timedelta
from typing import Any, Final

import hvac
import requests  # noqa: TID251 - what hvac is built on; its exceptions are hvac's interface
from hvac import exceptions
from pydantic import SecretStr
from requests.adapters import HTTPAdapter  # noqa: TID251 - the pool of that session

from connectors.errors import (
    AuthDenied,
    ConnectorError,
    InvalidRequest,
    NotFound,
    OutcomeUnknown,
    RateLimited,
    Unavailable,
)

_CONNECTIONS: Final = 32
_TOO_MANY: Final = 429
_DEFAULT_WAIT: Final = timedelta(seconds=1)


class Transport:
    """A pooled connection to one Vault.

    Args:
        address: Base URL.
        timeout: Seconds for one call.
    """

    def __init__(self, address: str, *, timeout: int = 5) -> None:
        self.address = address
        self._timeout = timeout
        self._session = requests.Session()
        self._session.trust_env = False
        adapter = HTTPAdapter(pool_maxsize=_CONNECTIONS, max_retries=0)
        self._session.mount("http://", adapter)
        self._session.mount("https://", adapter)
        self._session.hooks["response"].append(_slow_down)

    def client(self, token: SecretStr | None) -> hvac.Client:
        """An hvac client with this token, on the shared connection."""
        value = token.get_secret_value() if token is not None else ""
        return hvac.Client(url=self.address, token=value, session=self._session, timeout=self._timeout)

    async def call(
        self, what: str, token: SecretStr | None, work: Callable[[hvac.Client], object], *, once: bool = False
    ) -> object:
        """Run one call of hvac in a thread.

        Args:
            what: What is asked for, as the error names it.
            token: With which token; None for the few paths that want none.
            work: The call.
            once: It uses up the wrapped secret id: when its answer is lost, the error is `OutcomeUnknown`.

        Raises:
            ConnectorError: By the tree.
        """

        def run() -> object:
            with self._mapped(what, once=once):
                return work(self.client(token))

        return await asyncio.to_thread(run)

    def close(self) -> None:
        """Close the connection."""
        self._session.close()

    @contextlib.contextmanager
    def _mapped(self, what: str, *, once: bool) -> Generator[None]:
        try:
            yield
        except ConnectorError:
            raise
        except exceptions.VaultDown as error:
            raise Unavailable(
                f"Vault at {self.address!r} is sealed, so {what} waits: unseal it, and the goal goes on by itself"
            ) from error
        except exceptions.Forbidden as error:
            raise AuthDenied(
                f"Vault refuses {what}: the token is gone, or its policy does not allow it; `python -m deploy.vault` "
                "puts policies right"
            ) from error
        except exceptions.InvalidPath as error:
            raise NotFound(
                f"Vault has nothing for {what}: run `python -m deploy.vault`, and put the secret there"
            ) from error
        except (exceptions.InvalidRequest, exceptions.Unauthorized, exceptions.ParamValidationError) as error:
            raise InvalidRequest(f"Vault does not accept {what}: {_texts(error)}") from error
        except exceptions.VaultError as error:
            if once:
                raise self._used_up(what) from error
            raise Unavailable(f"Vault at {self.address!r} failed at {what}: {type(error).__name__}") from error
        except (requests.RequestException, ValueError) as error:
            if once and not _never_sent(error):
                raise self._used_up(what) from error
            raise Unavailable(
                f"Vault at {self.address!r} cannot be reached for {what} ({type(error).__name__}): "
                "start it, and the goal goes on by itself"
            ) from error

    def _used_up(self, what: str) -> OutcomeUnknown:
        return OutcomeUnknown(
            f"Vault at {self.address!r} gave no answer to {what}, which may have used it up: "
            "start this process again with a new wrapped secret id"
        )


def _never_sent(error: Exception) -> bool:
    """Whether no connection came about, so that nothing was asked."""
    return "NewConnectionError" in repr(error.args[:1])


def _texts(error: exceptions.VaultError) -> str:
    return "; ".join(str(text) for text in (error.errors or [])) or type(error).__name__


def _slow_down(response: requests.Response, *args: object, **kwargs: object) -> None:
    """Vault's quotas answer 429 with `Retry-After`; hvac's exception does not carry the header, so it is read here."""
    del args, kwargs
    if response.status_code != _TOO_MANY:
        return
    response.close()  # its body is not read yet, and the connection would stay open with it
    header = response.headers.get("Retry-After", "")
    wait = timedelta(seconds=int(header)) if header.isdigit() else _DEFAULT_WAIT
    raise RateLimited("Vault's rate limit is used up; the step waits as it asks", retry_after=wait)


def fields(answer: object, *path: str) -> Any:
    """A part of Vault's answer.

    Raises:
        Unavailable: The answer is not of the documented shape: a proxy in between, or not Vault at all.
    """
    found: Any = answer
    for name in path:
        try:
            found = found[name]
        except (KeyError, TypeError, IndexError) as error:
            raise Unavailable(f"Vault's answer lacks {'.'.join(path)!r}: is it Vault that answers there?") from error
    return found
