"""Reading through the client, against what git itself says of the same repository."""

from collections.abc import AsyncIterator
from hashlib import sha1

import pytest
import pytest_asyncio

from connectors.errors import ConnectorError, InvalidRequest, NotFound
from connectors.github.content import GitHubSession
from tests.connectors.github.recorded import Served
from tests.connectors.github.shop import BINARY, LARGE, STRANGE_NAMES, Shop


@pytest_asyncio.fixture
async def session(twin: Served) -> AsyncIterator[GitHubSession]:
    async with twin.github().session(
        twin.credentials, repository="acme/shop", permissions={"contents": "read"}
    ) as session:
        twin.recorder.exchanges.clear()
        yield session


@pytest.mark.parametrize("ref", [None, "main", "heads/main", "refs/heads/main", "v1.0", "tags/v1.0", "HEAD"])
async def test_every_name_of_a_commit_leads_to_it(session: GitHubSession, shop: Shop, ref: str | None) -> None:
    file = await session.read_file("README.md", ref=ref)
    assert (file.path, file.commit, file.content) == ("README.md", shop.main, b"# Shop\n")
    assert file.sha == shop.blob("README.md") == sha1(b"blob 7\0# Shop\n", usedforsecurity=False).hexdigest()
    assert file.size == 7


async def test_a_branch_with_a_slash_and_ids_long_and_short(session: GitHubSession, shop: Shop) -> None:
    for ref in ("feature/cart", shop.feature, shop.feature[:9], shop.feature.upper(), shop.feature[:9].upper()):
        file = await session.read_file("README.md", ref=ref)
        assert (file.commit, file.content) == (shop.feature, b"# Shop, with a cart\n")


@pytest.mark.parametrize(
    ("path", "content"), [("binary", BINARY), ("empty", b""), ("large", LARGE), ("run.sh", b"#!/bin/sh\n")]
)
async def test_bytes_arrive_as_they_are(session: GitHubSession, shop: Shop, path: str, content: bytes) -> None:
    file = await session.read_file(path)
    assert file.content == content
    assert (file.size, file.sha) == (len(content), shop.blob(path))


@pytest.mark.parametrize("path", STRANGE_NAMES)
async def test_names_with_signs_that_mean_something_elsewhere(session: GitHubSession, path: str) -> None:
    assert (await session.read_file(path)).content.decode() == f"this is {path}\n"


async def test_a_read_costs_two_requests_and_three_above_a_megabyte(twin: Served, session: GitHubSession) -> None:
    await session.read_file("README.md")
    assert len(twin.recorder.exchanges) == 2
    await session.read_file("large")
    assert len(twin.recorder.exchanges) == 5


async def test_a_link_inside_the_repository_gives_what_it_leads_to(session: GitHubSession, shop: Shop) -> None:
    file = await session.read_file("docs/link")
    assert (file.path, file.content, file.sha) == ("docs/link", b"# Shop\n", shop.blob("README.md"))


@pytest.mark.parametrize(
    ("path", "word"),
    [
        ("docs", "folder"),
        ("vendor", "folder"),
        ("vendor/lib", "submodule"),
        ("outside", "symlink"),
        ("above", "symlink"),
        ("folder-link", "symlink"),
    ],
)
async def test_what_has_no_content_says_what_it_is(session: GitHubSession, path: str, word: str) -> None:
    with pytest.raises(InvalidRequest, match=word) as caught:
        await session.read_file(path)
    assert repr(path) in str(caught.value)


@pytest.mark.parametrize(
    ("path", "ref", "said"),
    [
        ("missing.txt", None, "'acme/shop' has no file 'missing.txt'"),
        ("README.md/below", None, "'acme/shop' has no file 'README.md/below'"),
        ("docs/link/below", None, "'acme/shop' has no file 'docs/link/below'"),
        ("missing.txt", "v1.0", "'acme/shop' has no file 'missing.txt' at 'v1.0'"),
        ("README.md", "gone", "'acme/shop' has no branch, tag or commit 'gone'"),
        ("README.md", "f" * 40, f"'acme/shop' has no branch, tag or commit '{'f' * 40}'"),
    ],
)
async def test_what_is_missing_is_named(session: GitHubSession, path: str, ref: str | None, said: str) -> None:
    with pytest.raises(NotFound) as caught:
        await session.read_file(path, ref=ref)
    assert str(caught.value) == said


@pytest.mark.parametrize(
    "ref",
    [
        "--upload-pack=touch /tmp/x",
        "-h",
        "main~1",
        "main^",
        "main^{tree}",
        "main:README.md",
        ":/The",
        "@{-1}",
        "main@{1}",
        "a b",
        "%2e%2e",
        "mäin",
        "refs/heads/../../config",
    ],
)
async def test_a_ref_that_is_more_than_a_name_is_none(session: GitHubSession, ref: str) -> None:
    with pytest.raises((NotFound, InvalidRequest)) as caught:
        await session.read_file("README.md", ref=ref)
    assert repr(ref) in str(caught.value)


@pytest.mark.parametrize(
    "path", ["../secret", "docs/../../x", "..", ".", "docs/./x", "/etc/passwd", "a//b", "docs/", "a\0b"]
)
async def test_a_path_that_leads_out_is_never_sent(twin: Served, session: GitHubSession, path: str) -> None:
    with pytest.raises(InvalidRequest, match="not a path inside the repository"):
        await session.read_file(path)
    assert twin.recorder.exchanges == []


@pytest.mark.parametrize("ref", ["", "..", ".", "a/../b", "a\0b", "HEAD\nrefs/heads/main"])
async def test_a_ref_that_would_lead_elsewhere_is_never_sent(twin: Served, session: GitHubSession, ref: str) -> None:
    with pytest.raises(InvalidRequest, match="not the name of a branch, tag or commit"):
        await session.read_file("README.md", ref=ref)
    assert twin.recorder.exchanges == []


async def test_an_empty_repository_says_so(twin: Served) -> None:
    async with twin.github().session(
        twin.credentials, repository="acme/empty", permissions={"contents": "read"}
    ) as session:
        with pytest.raises(NotFound, match="'acme/empty' has no commit yet"):
            await session.read_file("README.md")


async def test_a_repository_that_went_meanwhile_is_told_from_a_missing_ref(session: GitHubSession, shop: Shop) -> None:
    away = shop.bare.with_name("away")
    shop.bare.rename(away)
    try:
        with pytest.raises(NotFound, match="'acme/shop' is there no more"):
            await session.read_file("README.md")
    finally:
        away.rename(shop.bare)


async def test_no_path_is_no_file(session: GitHubSession) -> None:
    with pytest.raises(InvalidRequest, match="no path given"):
        await session.read_file("")


async def test_errors_hold_no_secret(session: GitHubSession, twin: Served) -> None:
    with pytest.raises(ConnectorError) as caught:
        await session.read_file("missing.txt")
    key = twin.credentials.private_key.get_secret_value().splitlines()[1]
    assert "ghs_" not in str(caught.value)
    assert key not in repr(twin.credentials) + str(caught.value)
