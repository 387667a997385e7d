"""A person who makes a GitHub App at the twin by a manifest, and what they press there."""

import json
import re
from collections.abc import Mapping
from html import unescape
from urllib.parse import parse_qs, urlsplit

from tests.connectors.github.recorded import Served

BACK = "http://127.0.0.1:9/made"
MANIFEST: Mapping[str, object] = {
    "name": "Banksman of acme",
    "url": "https://banksman.example",
    "redirect_url": BACK,
    "hook_attributes": {"url": "https://banksman.example/github/webhook"},
    "default_permissions": {"contents": "write", "issues": "write"},
    "default_events": ["push", "issue_comment"],
}


def asked(twin: Served, manifest: object, *, owner: str = "acme", state: str = "s1") -> tuple[int, str]:
    """What the page says that the manifest is posted to."""
    text = manifest if isinstance(manifest, str) else json.dumps(manifest)
    answer = twin.hands.post(
        f"/organizations/{owner}/settings/apps/new", params={"state": state}, data={"manifest": text}
    )
    return answer.status_code, answer.text


def pressed(twin: Served, page: str, **changed: str) -> str:
    """Where the page's button leads, when it is pressed."""
    action = re.search(r'action="([^"]+)"', page)
    fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', page))
    assert action is not None, page
    answer = twin.hands.post(action[1], data={**{name: unescape(value) for name, value in fields.items()}, **changed})
    assert answer.status_code == 302, answer.text
    return answer.headers["location"]


def code_of(address: str) -> str:
    """The code that GitHub sends a browser back with."""
    return parse_qs(urlsplit(address).query)["code"][0]


def made(twin: Served, manifest: Mapping[str, object] = MANIFEST, *, owner: str = "acme") -> str:
    """Make an App; the code for it."""
    status, page = asked(twin, manifest, owner=owner)
    assert status == 200, page
    return code_of(pressed(twin, page))


def install(twin: Served, slug: str, owner: str = "acme") -> None:
    """Install an App on an organisation."""
    answer = twin.hands.post(f"/apps/{slug}/installations", data={"owner": owner})
    assert answer.status_code == 303, answer.text


def new_key(twin: Served, slug: str, owner: str = "acme") -> str:
    """One more private key of an App."""
    answer = twin.hands.post(f"/organizations/{owner}/settings/apps/{slug}/keys")
    assert answer.status_code == 200, answer.text
    return answer.text


def delete_oldest_key(twin: Served, slug: str, owner: str = "acme") -> int:
    """Delete the first of an App's keys; the status of the answer."""
    page = twin.hands.get(f"/organizations/{owner}/settings/apps/{slug}").text
    action = re.search(r'action="([^"]+/delete)"', page)
    assert action is not None, page
    return twin.hands.post(action[1]).status_code
