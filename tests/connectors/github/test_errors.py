"""What GitHub may answer on a bad day, and which error of the table each becomes."""

import re
import time
from datetime import timedelta

import pytest

from connectors.errors import (
    AuthDenied,
    Conflict,
    ConnectorError,
    InvalidRequest,
    NotFound,
    RateLimited,
    Unavailable,
)
from connectors.github.client import GitHubApp
from tests.connectors.github.conftest import MakeTwin
from tests.connectors.github.recorded import Served

CONTENTS = "/contents/README.md"
TOKENS = "/access_tokens"
INSTALLATION = "/installation$"


async def read_once(github: GitHubApp, twin: Served) -> bytes:
    async with github.session(twin.credentials, repository="acme/shop", permissions={"contents": "read"}) as session:
        return (await session.read_file("README.md")).content


async def failure(twin: Served, *, seconds: int = 10) -> ConnectorError:
    """How reading one file fails; GitHub must have been asked no more than once for what failed."""
    with pytest.raises(ConnectorError) as caught:
        await read_once(twin.github(timeout=seconds), twin)
    assert caught.value.__cause__ is not None
    assert sum(one["fault"] is not None for one in twin.requests()) == 1
    return caught.value


@pytest.mark.parametrize(
    ("path", "status", "expected", "said"),
    [
        (CONTENTS, 400, InvalidRequest, "GitHub does not accept 'README.md' of 'acme/shop': because"),
        (CONTENTS, 401, AuthDenied, "GitHub's token for 'acme/shop' ended before the step did: run it again"),
        (CONTENTS, 403, AuthDenied, "GitHub refuses our token on 'acme/shop': grant the App the permission it lacks"),
        (CONTENTS, 404, NotFound, "'acme/shop' has no file 'README.md'"),
        (CONTENTS, 409, Conflict, "GitHub refuses 'README.md' of 'acme/shop': because"),
        (CONTENTS, 410, InvalidRequest, "GitHub does not accept 'README.md' of 'acme/shop': because"),
        (CONTENTS, 412, Conflict, "GitHub refuses 'README.md' of 'acme/shop': because"),
        (CONTENTS, 422, InvalidRequest, "GitHub does not accept 'README.md' of 'acme/shop': because"),
        (CONTENTS, 500, Unavailable, "GitHub answers 500 to 'README.md' of 'acme/shop'; it is tried again"),
        (CONTENTS, 502, Unavailable, "GitHub answers 502 to 'README.md' of 'acme/shop'; it is tried again"),
        (CONTENTS, 503, Unavailable, "GitHub answers 503 to 'README.md' of 'acme/shop'; it is tried again"),
        (INSTALLATION, 401, AuthDenied, "GitHub refuses the App's private key"),
        (INSTALLATION, 404, NotFound, "the GitHub App is not installed on 'acme/shop'"),
        (INSTALLATION, 503, Unavailable, "GitHub answers 503 to the App's installation on 'acme/shop'"),
        (TOKENS, 401, AuthDenied, "GitHub refuses the App's private key"),
        (TOKENS, 403, AuthDenied, "GitHub gives the App no token with {'contents': 'read'} on 'acme/shop'"),
        (TOKENS, 404, NotFound, "the GitHub App is not installed on 'acme/shop'"),
        (TOKENS, 422, AuthDenied, "GitHub gives the App no token with {'contents': 'read'} on 'acme/shop'"),
        (TOKENS, 500, Unavailable, "GitHub answers 500 to a token for 'acme/shop'"),
    ],
)
async def test_a_status_becomes_its_error(
    twin: Served, path: str, status: int, expected: type[ConnectorError], said: str
) -> None:
    twin.plant(kind="status", path=path, status=status, body={"message": "because", "status": str(status)})
    error = await failure(twin)
    assert type(error) is expected
    assert str(error).startswith(said)


@pytest.mark.parametrize("status", [403, 429])
@pytest.mark.parametrize(
    ("headers", "message", "seconds"),
    [
        ({"retry-after": "7"}, "wait", 7),
        ({"retry-after": "7", "x-ratelimit-remaining": "0", "x-ratelimit-reset": "1"}, "wait", 7),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1"}, "API rate limit exceeded", 1),
        ({"x-ratelimit-remaining": "0"}, "API rate limit exceeded", 60),
        ({"retry-after": "soon"}, "wait", 60),
        ({"retry-after": "-5"}, "wait", 60),
        ({"retry-after": "999999"}, "wait", 3600),
        ({"retry-after": "9" * 400}, "wait", 60),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "99999999999"}, "API rate limit exceeded", 3600),
        ({}, "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.", 60),
    ],
)
async def test_a_limit_says_how_long_to_wait(
    twin: Served, status: int, headers: dict[str, str], message: str, seconds: int
) -> None:
    twin.plant(kind="status", path=CONTENTS, status=status, headers=headers, body={"message": message})
    error = await failure(twin)
    assert isinstance(error, RateLimited)
    assert error.retry_after == timedelta(seconds=seconds)


async def test_a_primary_limit_ends_when_github_says(twin: Served) -> None:
    headers = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(time.time()) + 1000)}
    twin.plant(kind="status", path=CONTENTS, status=403, headers=headers)
    error = await failure(twin)
    assert isinstance(error, RateLimited)
    assert error.retry_after is not None
    assert 980 <= error.retry_after.total_seconds() <= 1000


@pytest.mark.parametrize("path", [INSTALLATION, "/commits/HEAD", CONTENTS])
async def test_an_answer_that_is_not_ready_is_neither_waited_for_nor_asked_for_again(twin: Served, path: str) -> None:
    twin.plant(kind="status", path=path, status=202, body={})
    with pytest.raises(Unavailable, match=r"^GitHub has not got its answer ready yet; it is tried again$"):
        await read_once(twin.github(), twin)
    assert sum(re.search(path, str(one["path"])) is not None for one in twin.requests()) == 1


@pytest.mark.parametrize("path", [INSTALLATION, TOKENS, "/commits/HEAD", CONTENTS])
async def test_garbage_is_no_answer(twin: Served, path: str) -> None:
    twin.plant(kind="garbage", path=path)
    error = await failure(twin)
    assert isinstance(error, Unavailable)
    assert "makes no sense" in str(error)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (INSTALLATION, {"id": "no number"}),
        (INSTALLATION, {}),
        (TOKENS, {"token": 5}),
        ("/commits/HEAD", {"sha": "0" * 40}),
        (CONTENTS, {"type": "file", "sha": "0" * 40, "encoding": "base64", "content": "é"}),
        (CONTENTS, {"type": "wormhole", "sha": "0" * 40}),
        (CONTENTS, "null"),
        (CONTENTS, ""),
    ],
)
async def test_json_of_another_shape_is_no_answer(twin: Served, path: str, body: object) -> None:
    twin.plant(kind="status", path=path, status=200, body=body)
    error = await failure(twin)
    assert isinstance(error, Unavailable)
    assert "makes no sense" in str(error)


@pytest.mark.parametrize("path", [INSTALLATION, TOKENS, "/commits/HEAD", CONTENTS])
@pytest.mark.parametrize("kind", ["drop", "drop_after_effect"])
async def test_a_connection_that_ends_early_is_no_answer(twin: Served, kind: str, path: str) -> None:
    twin.plant(kind=kind, path=path)
    error = await failure(twin)
    assert isinstance(error, Unavailable)
    assert "GitHub cannot be reached" in str(error)


async def test_an_answer_that_takes_too_long_is_none_and_had_no_effect(twin: Served) -> None:
    twin.plant(kind="delay", path=CONTENTS, seconds=60)
    error = await failure(twin, seconds=1)
    assert isinstance(error, Unavailable)
    [late] = [one for one in twin.requests() if one["fault"]]
    assert (late["handled"], late["status"]) == (False, None)


async def test_a_redirection_to_elsewhere_is_not_followed(twin: Served) -> None:
    twin.plant(kind="status", path=CONTENTS, status=301, headers={"location": "http://elsewhere.invalid/"})
    error = await failure(twin)
    assert isinstance(error, InvalidRequest)
    assert "correct the API's address in the settings" in str(error)


async def test_a_redirection_that_loses_the_commit_is_noticed(twin: Served) -> None:
    # PyGithub follows a renamed repository without the query, so it would read the default branch instead.
    there = f"{twin.address}/repos/Acme/Shop/contents/README.md?ref=feature/cart"
    twin.plant(kind="status", path=CONTENTS, status=301, headers={"location": there})
    with pytest.raises(Conflict, match="'acme/shop' was renamed while it was read"):
        async with twin.github().session(
            twin.credentials, repository="acme/shop", permissions={"contents": "read"}
        ) as session:
            await session.read_file("README.md", ref="feature/cart")


async def test_a_renamed_repository_is_followed(twin: Served) -> None:
    there = f"{twin.address}/repos/Acme/Shop/installation"
    twin.plant(kind="status", path=INSTALLATION, status=301, headers={"location": there})
    assert await read_once(twin.github(), twin) == b"# Shop\n"


async def test_after_a_bad_day_the_next_read_is_good(twin: Served) -> None:
    github = twin.github()
    for kind in ("garbage", "drop"):
        twin.plant(kind=kind, path=CONTENTS)
        with pytest.raises(Unavailable):
            await read_once(github, twin)
        assert await read_once(github, twin) == b"# Shop\n"


async def test_the_twins_own_primary_limit(make_twin: MakeTwin) -> None:
    twin = make_twin(limits={"hourly": 3})
    with pytest.raises(RateLimited) as caught:
        await read_once(twin.github(), twin)
    assert caught.value.retry_after is not None
    assert 3590 <= caught.value.retry_after.total_seconds() <= 3600
    assert twin.live_tokens == 0
    last = twin.hands.get("/app")
    assert (last.status_code, last.headers["x-ratelimit-remaining"], last.headers["x-ratelimit-limit"]) == (
        403,
        "0",
        "3",
    )


async def test_the_twins_own_secondary_limit(make_twin: MakeTwin) -> None:
    twin = make_twin(limits={"points": 7})  # the installation 1, the token 5, the commit 1
    with pytest.raises(RateLimited) as caught:
        await read_once(twin.github(), twin)
    assert caught.value.retry_after is not None
    assert 50 <= caught.value.retry_after.total_seconds() <= 61
    assert twin.live_tokens == 0


async def test_a_file_that_is_too_large_says_what_to_do(make_twin: MakeTwin) -> None:
    twin = make_twin(limits={"blob_bytes": 6})
    with pytest.raises(InvalidRequest, match=r"'README.md' of 'acme/shop' is larger than .*: clone the repository"):
        await read_once(twin.github(), twin)


async def test_one_refusal_holds_back_all_who_ask_for_the_account_and_nobody_else(make_twin: MakeTwin) -> None:
    twin = make_twin(limits={"points": 7})
    github = twin.github()
    with pytest.raises(RateLimited):
        await read_once(github, twin)
    asked = len(twin.requests())
    with pytest.raises(RateLimited, match="was not asked for") as held:
        await read_once(github, twin)
    assert held.value.retry_after is not None
    assert held.value.retry_after.total_seconds() > 50
    assert len(twin.requests()) == asked
    with pytest.raises(ConnectorError) as other:
        async with github.session(twin.credentials, repository="other/shop", permissions={"contents": "read"}):
            pass
    assert "was not asked for" not in str(other.value)
    assert len(twin.requests()) > asked
