"""What a token or a JWT may not do: every attempt to do more than it was made for is refused."""

import asyncio
import base64
import hashlib
import hmac
import json
import threading
import time
from typing import Any, cast

import httpx
import jwt
import pytest

from connectors.errors import AuthDenied, NotFound, Unavailable
from connectors.github.client import GitHubApp
from connectors.github.twin.auth import InstallationToken
from tests.connectors.github.twin.server import CLIENT_ID, WEB, Key, Twin, until

READ = {"contents": "read"}
CONTENTS = "/repos/acme/shop/contents/README.md"


def ask(twin: Twin, path: str, bearer: str, *, method: str = "GET", body: object = None) -> httpx.Response:
    headers = {"authorization": f"Bearer {bearer}"}
    return WEB.request(method, twin.url + path, headers=headers, json=body, timeout=10)


def encoded(twin: Twin, key: Key | None = None, **claims: object) -> str:
    now = int(time.time())
    told = {"iat": now - 60, "exp": now + 540, "iss": CLIENT_ID} | claims
    return jwt.encode({k: v for k, v in told.items() if v is not None}, (key or twin.key).private, algorithm="RS256")


def unsigned(header: dict[str, str], claims: dict[str, object], signature: bytes = b"") -> str:
    parts = (json.dumps(header).encode(), json.dumps(claims).encode(), signature)
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


def claims_now() -> dict[str, object]:
    return {"iat": int(time.time()) - 60, "exp": int(time.time()) + 540, "iss": CLIENT_ID}


def minted(twin: Twin, body: object, *, repository: str = "acme/shop") -> httpx.Response:
    app = encoded(twin)
    number = ask(twin, f"/repos/{repository}/installation", app).json()["id"]
    return ask(twin, f"/app/installations/{number}/access_tokens", app, method="POST", body=body)


# The App's JWT.


def test_the_apps_own_jwt_is_taken(twin: Twin) -> None:
    assert ask(twin, "/app", encoded(twin)).json()["client_id"] == CLIENT_ID


def attacks(twin: Twin) -> dict[str, str]:
    now = int(time.time())
    return {
        "another key": encoded(twin, Key.make()),
        "alg none": unsigned({"alg": "none", "typ": "JWT"}, claims_now()),
        "alg None": unsigned({"alg": "None"}, claims_now()),
        "garbage signature": unsigned({"alg": "RS256"}, claims_now(), b"x"),
        "no signature": encoded(twin).rpartition(".")[0] + ".",
        "another issuer": encoded(twin, iss="Iv23liSomeoneElse"),
        "no issuer": encoded(twin, iss=None),
        "exp too far": encoded(twin, exp=now + 700),
        "exp absurdly far": encoded(twin, exp=now + 10**12),
        "expired": encoded(twin, exp=now - 120),
        "no exp": encoded(twin, exp=None),
        "exp as text": encoded(twin, exp=str(now + 60)),
        "exp as a boolean": encoded(twin, exp=True),
        "exp as a fraction": encoded(twin, exp=now + 0.5),
        "from the future": encoded(twin, iat=now + 300),
        "no iat": encoded(twin, iat=None),
        "no jwt": "not-a-jwt",
        "three parts of nothing": "a.b.c",
        "an installation token": twin.token("shop"),
    }


def test_any_other_jwt_is_refused(twin: Twin) -> None:
    for name, token in attacks(twin).items():
        for path in ("/app", "/repos/acme/shop/installation"):
            response = ask(twin, path, token)
            assert (response.status_code, bool(response.json()["message"])) == (401, True), name


def test_the_public_key_is_no_hmac_secret(twin: Twin) -> None:
    # PyJWT refuses to make such a token, so it is made by hand.
    signed = unsigned({"alg": "HS256", "typ": "JWT"}, claims_now()).rpartition(".")[0]
    signature = hmac.new(twin.key.public.encode(), signed.encode(), hashlib.sha256).digest()
    forged = f"{signed}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"
    assert ask(twin, "/app", forged).status_code == 401


def test_a_jwt_ends_with_its_time(twin: Twin) -> None:
    token = encoded(twin)
    assert ask(twin, "/app", token).status_code == 200
    twin.clock.moved = 540 + 61
    response = ask(twin, "/app", token)
    assert (response.status_code, "exp" in response.json()["message"]) == (401, True)


@pytest.mark.parametrize("authorization", [None, "", "Bearer", "Basic eDp5", "Digest x"])
def test_without_a_bearer_nothing_is_told(twin: Twin, authorization: str | None) -> None:
    headers = {} if authorization is None else {"authorization": authorization}
    assert WEB.get(f"{twin.url}/app", headers=headers).status_code == 401
    assert WEB.get(f"{twin.url}{CONTENTS}", headers=headers).status_code in {401, 404}


async def test_a_wrong_key_is_explained(twin: Twin, github: GitHubApp) -> None:
    with pytest.raises(AuthDenied, match=r"^GitHub refuses the App's private key: it was deleted there, or the clock"):
        async with github.session(Key.make().app(), repository="acme/shop", permissions=READ):
            pytest.fail("a session with a wrong key")
    assert twin.authority.live == 0


async def test_another_app_is_refused(twin: Twin, github: GitHubApp) -> None:
    with pytest.raises(AuthDenied, match=r"^GitHub refuses the App's private key"):
        async with github.session(twin.key.app("Iv23liOther"), repository="acme/shop", permissions=READ):
            pytest.fail("a session of another App")


# What a token covers.


def test_a_token_reads_its_repository_and_no_other(twin: Twin) -> None:
    token = twin.token("shop")
    assert ask(twin, CONTENTS, token).status_code == 200
    assert ask(twin, CONTENTS.replace("shop", "SHOP"), token).status_code == 200
    for other in ("acme/hidden", "acme/.github", "acme/empty", "other/case.name", "acme/gone", "other/shop"):
        for path in ("contents/README.md", "commits/main", "git/trees/main", f"git/blobs/{'0' * 40}", ""):
            response = ask(twin, f"/repos/{other}/{path}".rstrip("/"), token)
            assert (response.status_code, response.json()["message"]) == (404, "Not Found"), path


def test_what_is_invisible_and_what_is_not_there_look_alike(twin: Twin) -> None:
    token = twin.token("shop")
    hidden, gone = (ask(twin, f"/repos/acme/{name}/contents/README.md", token) for name in ("hidden", "gone"))
    assert hidden.content == gone.content


def test_a_token_without_contents_reads_none(twin: Twin) -> None:
    token = twin.token("shop", issues="write", metadata="read")
    response = ask(twin, CONTENTS, token)
    assert (response.status_code, response.json()["message"]) == (403, "Resource not accessible by integration")
    assert ask(twin, "/repos/acme/shop", token).status_code == 200


@pytest.mark.parametrize(
    "path", ["/repos/acme/shop/installation", "/app", "/app/installations", "/app/installations/1/access_tokens"]
)
def test_an_installation_token_is_not_the_app(twin: Twin, path: str) -> None:
    method = "POST" if path.endswith("tokens") else "GET"
    assert ask(twin, path, twin.token("shop"), method=method).status_code == 401


def test_the_apps_jwt_reads_no_contents(twin: Twin) -> None:
    assert ask(twin, CONTENTS, encoded(twin)).status_code == 401


def test_a_revoked_token_is_over(twin: Twin) -> None:
    token = twin.token("shop")
    assert ask(twin, "/installation/token", token, method="DELETE").status_code == 204
    assert ask(twin, CONTENTS, token).status_code == 401
    assert ask(twin, "/installation/token", token, method="DELETE").status_code == 401
    assert twin.authority.live == 0


def test_a_token_ends_after_an_hour(twin: Twin) -> None:
    token = twin.token("shop")
    twin.clock.moved = 3590
    assert ask(twin, CONTENTS, token).status_code == 200
    twin.clock.moved = 3610
    assert ask(twin, CONTENTS, token).status_code == 401
    assert twin.authority.live == 0


# What can be asked for.


def test_a_token_is_narrowed_to_what_was_asked(twin: Twin) -> None:
    response = minted(twin, {"repositories": ["Shop"], "permissions": READ})
    answer = cast("dict[str, Any]", response.json())
    assert response.status_code == 201
    assert answer["permissions"] == {"contents": "read", "metadata": "read"}
    assert [one["full_name"] for one in answer["repositories"]] == ["acme/shop"]
    found = twin.authority.find(str(answer["token"]))
    assert found is not None
    assert (found.repositories, found.permits("contents", "write")) == (frozenset({"shop"}), False)


def test_a_token_is_narrowed_by_ids_too(twin: Twin) -> None:
    listed = minted(twin, {}).json()["repositories"]
    ids = {one["full_name"]: one["id"] for one in listed}
    assert set(ids) == {"acme/shop", "acme/empty", "acme/.github"}
    answer = minted(twin, {"repository_ids": [ids["acme/empty"]]}).json()
    assert [one["full_name"] for one in answer["repositories"]] == ["acme/empty"]
    assert ask(twin, CONTENTS, answer["token"]).status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        {"repositories": ["hidden"]},
        {"repositories": ["gone"]},
        {"repositories": ["shop", "hidden"]},
        {"repositories": ["Case.Name"]},
        {"repositories": ["../Other/Case.Name"]},
        {"repositories": ["*"]},
        {"repository_ids": [1]},
        {"permissions": {"administration": "write"}},
        {"permissions": {"metadata": "write"}},
        {"permissions": {"contents": "admin"}},
        {"permissions": {"contents": "none"}},
        {"permissions": {"contents": ""}},
    ],
)
def test_more_than_was_granted_is_refused(twin: Twin, body: dict[str, object]) -> None:
    response = minted(twin, body)
    assert response.status_code == 422
    assert twin.authority.live == 0


@pytest.mark.parametrize("body", [[], "x", {"repositories": "shop"}, {"permissions": ["contents"]}])
def test_a_malformed_wish_is_refused(twin: Twin, body: object) -> None:
    assert minted(twin, body).status_code == 400
    assert twin.authority.live == 0


def test_nothing_asked_for_is_nothing_given(twin: Twin) -> None:
    wishes: list[dict[str, object]] = [{"repositories": []}, {"permissions": {}}]
    for body in wishes:
        answer = minted(twin, body).json()
        assert ask(twin, CONTENTS, answer["token"]).status_code in {403, 404}


def test_no_level_beats_an_unknown_one() -> None:
    granted = {"contents": "write", "odd": "everything"}
    assert InstallationToken.allows(granted, {"contents": "read"})
    assert InstallationToken.allows(granted, {})
    for wanted in ({"contents": "admin"}, {"odd": "read"}, {"odd": "everything"}, {"contents": "", "metadata": "read"}):
        assert not InstallationToken.allows(granted, wanted)


async def test_a_permission_that_the_app_lacks_is_named(twin: Twin, github: GitHubApp) -> None:
    with pytest.raises(AuthDenied) as denied:
        async with github.session(twin.key.app(), repository="acme/shop", permissions={"secrets": "write"}):
            pytest.fail("a session with a permission that was not granted")
    assert "{'secrets': 'write'} on 'acme/shop': grant it these permissions" in str(denied.value)


# A session's token, from the client's side.


async def test_a_session_mints_one_narrow_token_and_gives_it_back(twin: Twin, github: GitHubApp) -> None:
    async with github.session(twin.key.app(), repository="acme/shop", permissions=READ):
        [token] = twin.authority._tokens.values()
        assert token.repositories == {"shop"}
        assert dict(token.permissions) == {"contents": "read", "metadata": "read"}
        assert twin.authority.live == 1
    assert twin.authority.live == 0


async def test_a_token_is_given_back_after_an_error(twin: Twin, github: GitHubApp) -> None:
    with pytest.raises(NotFound):
        async with github.session(twin.key.app(), repository="acme/shop", permissions=READ) as session:
            await session.read_file("gone")
    with pytest.raises(KeyError):
        async with github.session(twin.key.app(), repository="acme/shop", permissions=READ):
            raise KeyError
    assert twin.authority.live == 0


@pytest.mark.parametrize("during", ["/contents/", "/access_tokens", "/commits/"])
async def test_a_token_is_given_back_after_a_cancellation(twin: Twin, github: GitHubApp, during: str) -> None:
    twin.plant({"kind": "delay", "seconds": 0.5, "path": during})

    async def work() -> None:
        async with github.session(twin.key.app(), repository="acme/shop", permissions=READ) as session:
            await session.read_file("README.md")

    running = asyncio.create_task(work())

    def reached() -> bool:
        return any(during in path for _, path in twin.requests())

    await asyncio.to_thread(until, reached, f"the client asks for {during}")
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await asyncio.to_thread(until, lambda: twin.authority.live == 0, "no token is left")
    assert twin.requests().count(("DELETE", "/installation/token")) == 1


async def test_a_token_revoked_under_a_session_is_explained(twin: Twin, github: GitHubApp) -> None:
    async with github.session(twin.key.app(), repository="acme/shop", permissions=READ) as session:
        twin.authority._tokens.clear()
        with pytest.raises(AuthDenied, match="'acme/shop' ended before the step did"):
            await session.read_file("README.md")


async def test_a_token_that_cannot_be_given_back_does_not_spoil_the_step(twin: Twin, github: GitHubApp) -> None:
    twin.plant({"kind": "status", "status": 500, "method": "DELETE"})
    async with github.session(twin.key.app(), repository="acme/shop", permissions=READ) as session:
        found = await session.read_file("README.md")
    assert found.content == b"# Shop\n"


async def test_a_lost_answer_to_the_mint_is_unavailable(twin: Twin, github: GitHubApp) -> None:
    twin.plant({"kind": "drop_after_effect", "path": "access_tokens"})
    with pytest.raises(Unavailable):
        async with github.session(twin.key.app(), repository="acme/shop", permissions=READ):
            pytest.fail("a session without a token")


async def test_concurrent_sessions_have_a_token_each(twin: Twin, github: GitHubApp) -> None:
    together = threading.Barrier(4)

    async def work(repository: str) -> int:
        async with github.session(twin.key.app(), repository=repository, permissions=READ) as session:
            await asyncio.to_thread(together.wait, 10)
            live = twin.authority.live
            await asyncio.to_thread(together.wait, 10)
            await session.read_file("README.md")
        return live

    names = ("acme/shop", "acme/shop", "acme/.github", "Other/Case.Name")
    assert await asyncio.gather(*(work(name) for name in names)) == [4, 4, 4, 4]
    assert twin.authority.live == 0


async def test_the_installation_is_asked_for_once(twin: Twin, github: GitHubApp) -> None:
    async def read() -> list[str]:
        twin.forget()
        async with github.session(twin.key.app(), repository="acme/shop", permissions=READ) as session:
            await session.read_file("README.md")
        return [f"{method} {path.rpartition('/')[2]}" for method, path in twin.requests()]

    rest = ["POST access_tokens", "GET HEAD", "GET README.md", "DELETE token"]
    assert await read() == ["GET installation", *rest]
    assert await read() == rest


async def test_an_installation_that_is_gone_is_asked_for_again(twin: Twin, github: GitHubApp) -> None:
    async with github.session(twin.key.app(), repository="acme/shop", permissions=READ):
        pass
    twin.plant({"kind": "status", "status": 404, "path": "access_tokens", "body": {"message": "Not Found"}})
    async with github.session(twin.key.app(), repository="acme/shop", permissions=READ) as session:
        assert (await session.read_file("README.md")).content == b"# Shop\n"
    twin.plant({"kind": "status", "status": 404, "path": "access_tokens", "times": 2, "body": {"message": "Not Found"}})
    with pytest.raises(NotFound, match="not installed on 'acme/shop'"):
        async with github.session(twin.key.app(), repository="acme/shop", permissions=READ):
            pytest.fail("a session without an installation")
    twin.forget()
    async with github.session(twin.key.app(), repository="acme/shop", permissions=READ):
        assert ("GET", "/repos/acme/shop/installation") in twin.requests()
