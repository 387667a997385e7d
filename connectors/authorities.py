"""Whom this process trusts behind https.

Read from disk once: that takes a tenth of a second of processor time, and httpx would do it anew for every client that
it makes, even for one that speaks plain http to a neighbour.
"""

import ssl
from functools import cache

import httpx


@cache
def authorities() -> ssl.SSLContext:
    """What httpx trusts by default, for `verify=` of its clients."""
    return httpx.create_ssl_context()
