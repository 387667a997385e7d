"""Every path of the twin against GitHub's published description, and the judge itself against wrong answers."""

import dataclasses
import json
import time

import jwt
import pytest

from tests.connectors.github.description import FILE, Description, Exchange, description
from tests.connectors.github.recorded import Served
from tests.connectors.github.shop import Shop

pytestmark = pytest.mark.skipif(not FILE.exists(), reason="GitHub's published description is not at hand")


@pytest.fixture
def judge() -> Description:
    found = description()
    assert found is not None
    return found


@pytest.fixture
def as_app(twin: Served) -> dict[str, str]:
    now = int(time.time())
    claims = {"iat": now - 60, "exp": now + 300, "iss": twin.credentials.client_id}
    return {"Authorization": f"Bearer {jwt.encode(claims, twin.credentials.private_key.get_secret_value(), 'RS256')}"}


@pytest.fixture
def as_installation(twin: Served, as_app: dict[str, str]) -> dict[str, str]:
    number = twin.hands.get("/repos/acme/shop/installation", headers=as_app).json()["id"]
    token = twin.hands.post(f"/app/installations/{number}/access_tokens", headers=as_app).json()["token"]
    return {"Authorization": f"Bearer {token}"}


def test_the_app(twin: Served, as_app: dict[str, str], judge: Description) -> None:
    for path in ("/app", "/app/installations", "/repos/acme/shop/installation"):
        assert twin.hands.get(path, headers=as_app).status_code == 200
        assert judge.problems(twin.recorder.exchanges[-1]) == []
    for path in ("/repos/acme/missing/installation", "/app"):
        reply = twin.hands.get(path)
        assert reply.status_code == 401
        assert judge.problems(twin.recorder.exchanges[-1]) == []


def test_what_an_installation_covers(twin: Served, as_installation: dict[str, str], judge: Description) -> None:
    reply = twin.hands.get("/installation/repositories?per_page=1&page=2", headers=as_installation)
    assert (reply.status_code, len(reply.json()["repositories"])) == (200, 1)
    assert judge.problems(twin.recorder.exchanges[-1]) == []


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("", 200),
        ("/contents/docs", 200),
        ("/contents/docs?ref=v1.0", 200),
        ("/contents/README.md", 200),
        ("/contents/large", 200),
        ("/contents/outside", 200),
        ("/contents/docs/link", 200),
        ("/contents/vendor", 200),
        ("/contents/vendor/lib", 200),
        ("/contents/missing", 404),
        ("/contents/%2e%2e/x", 404),
        ("/contents/a%00b", 404),
        ("/contents/README.md?ref=missing", 404),
        ("/contents/README.md?ref=--upload-pack%3Dx", 404),
        ("/branches", 200),
        ("/branches?per_page=1&page=2", 200),
        ("/commits/main", 200),
        ("/commits/v1.0", 200),
        ("/commits/feature%2Fcart", 200),
        ("/commits/missing", 422),
        ("/commits/--help", 422),
        ("/git/trees/main", 200),
        ("/git/trees/main?recursive=1", 200),
        ("/git/trees/missing", 404),
        ("/git/blobs/missing", 404),
    ],
)
def test_a_repository(twin: Served, as_installation: dict[str, str], path: str, status: int) -> None:
    reply = twin.hands.get(f"/repos/acme/shop{path}", headers=as_installation)
    assert reply.status_code == status, reply.text
    assert reply.headers["x-github-request-id"]
    if status >= 400:
        assert set(reply.json()) == {"message", "documentation_url", "status"}
        assert reply.json()["status"] == str(status)


def test_an_empty_repository(twin: Served, as_installation: dict[str, str]) -> None:
    for path, status in (("commits/HEAD", 409), ("git/trees/HEAD", 409), ("contents/README.md", 404), ("", 200)):
        reply = twin.hands.get(f"/repos/acme/empty/{path}".rstrip("/"), headers=as_installation)
        assert reply.status_code == status, reply.text


def test_the_other_media_types(twin: Served, as_installation: dict[str, str], shop: Shop) -> None:
    raw = {**as_installation, "Accept": "application/vnd.github.raw+json"}
    assert twin.hands.get("/repos/acme/shop/contents/README.md", headers=raw).content == b"# Shop\n"
    assert twin.hands.get(f"/repos/acme/shop/git/blobs/{shop.blob('README.md')}", headers=raw).content == b"# Shop\n"
    root = twin.hands.get("/repos/acme/shop/contents", headers=as_installation).json()
    assert {"README.md", "docs", "empty"} < {one["path"] for one in root}
    sha = {**as_installation, "Accept": "application/vnd.github.sha"}
    assert twin.hands.get("/repos/acme/shop/commits/main", headers=sha).text == shop.main
    # The description knows neither a raw media type for contents nor contents without a path.
    twin.recorder.everything[:] = twin.recorder.everything[-1:]


def test_a_commit_is_told_as_git_has_it(twin: Served, as_installation: dict[str, str], shop: Shop) -> None:
    told = twin.hands.get("/repos/acme/shop/commits/feature/cart", headers=as_installation).json()
    assert (told["sha"], [one["sha"] for one in told["parents"]]) == (shop.feature, [shop.main])
    assert told["commit"]["message"] == "A cart\n\nWith a longer word on it."
    assert told["commit"]["author"]["email"] == "author@example.com"


def test_a_submodule_is_told_with_its_origin(twin: Served, as_installation: dict[str, str]) -> None:
    told = twin.hands.get("/repos/acme/shop/contents/vendor/lib", headers=as_installation).json()
    assert (told["type"], told["submodule_git_url"]) == ("submodule", "https://example.com/lib.git")


def test_the_rate_limit_costs_nothing(twin: Served, as_installation: dict[str, str], judge: Description) -> None:
    first, second = (twin.hands.get("/rate_limit", headers=as_installation).json() for _ in range(2))
    assert first == second
    assert judge.problems(twin.recorder.exchanges[-1]) == []


def test_a_caller_without_a_name_is_refused(twin: Served, as_app: dict[str, str]) -> None:
    reply = twin.hands.get("/app", headers={**as_app, "User-Agent": ""})
    assert (reply.status_code, "User-Agent" in reply.json()["message"]) == (403, True)


def test_without_a_token_nothing_is_there(twin: Served) -> None:
    for path in ("", "/contents/README.md", "/commits/main", "/git/trees/main"):
        assert twin.hands.get(f"/repos/acme/shop{path}").status_code == 404


class TestTheJudge:
    """A judge that finds nothing wrong proves nothing: these must be found."""

    GOOD = Exchange(
        method="POST",
        path="/app/installations/1/access_tokens",
        query="",
        request_body=b'{"repositories": ["shop"], "permissions": {"contents": "read"}}',
        status=201,
        content_type="application/json",
        body=b'{"token": "ghs_x", "expires_at": "2026-01-01T00:00:00Z"}',
        connection=("127.0.0.1", 1),
    )

    def test_a_good_exchange_passes(self, judge: Description) -> None:
        assert judge.problems(self.GOOD) == []

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            ({"path": "/app/installation/1/access_token"}, "not described"),
            ({"method": "PUT"}, "not described"),
            ({"query": "force=1"}, "query 'force' is not described"),
            ({"request_body": b'{"permissions": {"contents": "root"}}'}, "'root' is not one of"),
            ({"status": 202}, "this status is not described"),
            ({"body": b""}, "a body is described"),
            ({"body": b'{"expires_at": "x"}'}, "'token' is a required property"),
            ({"body": b'{"token": 1, "expires_at": "x"}'}, "1 is not of type 'string'"),
            ({"content_type": "text/html"}, "201"),
            ({"status": 404, "body": json.dumps({"message": 5}).encode()}, "5 is not of type 'string'"),
        ],
    )
    def test_a_wrong_one_does_not(self, judge: Description, change: dict[str, str], said: str) -> None:
        assert any(said in problem for problem in judge.problems(dataclasses.replace(self.GOOD, **change)))  # pyright: ignore[reportArgumentType] - one wrong field each
