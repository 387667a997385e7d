"""Who asks Estuary: a token of an hour, for its API and for its tables.

The API may not see a right yet that was given a moment ago. It then answers 307, with a time to wait and a query that
says since when it is asked; only with that query it ever says no. So a redirection is followed to the same place, and
never to another.
"""

import asyncio
from collections.abc import AsyncGenerator, Generator
from datetime import timedelta
from typing import Final
from urllib.parse import urlsplit

import httpx

from connectors.creation import Sleep
from connectors.waits import retry_after

PATIENCE: Final = timedelta(seconds=35)
"""How long a right is waited for; Estuary's own interface reckons with half a minute."""

_NOT_YET: Final = 307


class Bearer(httpx.Auth):
    """A token for the API.

    Args:
        token: Goes into requests, and nowhere else.
        sleep: Waits.
    """

    def __init__(self, token: str, *, sleep: Sleep = asyncio.sleep) -> None:
        self._token, self._sleep = token, sleep

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """See `httpx.Auth`."""
        request.headers["Authorization"] = f"Bearer {self._token}"
        waited = timedelta()
        while True:
            answer = yield request
            pause = retry_after(answer.headers)
            if answer.status_code != _NOT_YET or pause is None or waited + pause > PATIENCE:
                return
            waited += max(pause, timedelta(seconds=1))
            await self._sleep(pause.total_seconds())
            # The query alone: the token goes to where it went before, wherever this leads.
            query = urlsplit(str(answer.headers.get("location", ""))).query
            request.url = request.url.copy_with(query=query.encode())


class TablesAuth(httpx.Auth):
    """The same token for the tables, which are Supabase's and want its public key as well.

    Args:
        token: Goes into requests, and nowhere else.
        apikey: The public one.
    """

    def __init__(self, token: str, *, apikey: str) -> None:
        self._headers = {"Authorization": f"Bearer {token}", "apikey": apikey}

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response]:
        """See `httpx.Auth`. What is written is answered; a row that is there is written over only where it says so."""
        request.headers.update(self._headers)
        over = ",resolution=merge-duplicates" if "on_conflict" in request.url.params else ""
        request.headers["Prefer"] = f"return=representation{over}"
        yield request
