"""Where GitHub is: the address of its API, and the one at which people see what that is of."""

from urllib.parse import urlsplit

from connectors.errors import InvalidRequest


def pages_address(api: str) -> str:
    """Where people see what this API is of: https://github.com, or their own server."""
    there = urlsplit(api)
    if not there.scheme or not there.netloc:
        raise InvalidRequest(f"{api!r} is no address of an API: correct BANKSMAN_GITHUB_URL")
    host = there.netloc.removeprefix("api.") if there.netloc == "api.github.com" else there.netloc
    return f"{there.scheme}://{host}{there.path.rstrip('/').removesuffix('/api/v3')}"
