"""The pages of the twin: what `OpenPullRequest` links to is there, and a stranger's words on it are only words."""

from collections.abc import AsyncIterator
from html import unescape
from urllib.parse import quote

import httpx
import pytest
import pytest_asyncio

from connectors.github.writes import FileChange
from tests.connectors.github.conftest import MakeTwin
from tests.connectors.github.recorded import Served
from tests.connectors.github.shop import STRANGE_NAMES, Shop, git

WRITE = {"contents": "write", "pull_requests": "write", "checks": "write"}
EVIL = "<script>alert(1)</script>"
BRANCH = "banksman/pages-1"


@pytest.fixture
def own(make_twin: MakeTwin) -> Served:
    """A twin of these tests' own: its pages are no part of GitHub's description."""
    return make_twin()


@pytest_asyncio.fixture
async def link(own: Served, shop: Shop) -> AsyncIterator[str]:
    """The link of a pull request that was opened through the client."""
    changes = (
        FileChange(path="README.md", content=f"# Shop\n{EVIL}\n".encode()),
        FileChange(path=f"docs/{EVIL.replace('/', '_')}.txt", content=b"one\ntwo\n"),
        FileChange(path="binary", content=bytes(range(256))),
    )
    async with own.github().session(own.credentials, repository="acme/shop", permissions=WRITE) as session:
        writes = session.writes
        await writes.commit_files(BRANCH, changes, base="main", message=f"Change {EVIL}", key="pages/1")
        opened = await writes.open_pull_request(BRANCH, base="main", title=f"Say {EVIL}", body=f"Why {EVIL}")
    yield opened.html_url
    git("update-ref", "-d", f"refs/heads/{BRANCH}", at=shop.bare)


def page(own: Served, path: str, **headers: str) -> httpx.Response:
    url = path if path.startswith("http") else f"{own.address}{path}"
    return httpx.get(url, headers={"accept": "text/html", **headers})


def shown(own: Served, path: str) -> str:
    answer = page(own, path)
    assert answer.status_code == 200, answer.text
    assert "script" not in answer.headers["content-security-policy"]
    assert EVIL not in answer.text
    return answer.text


async def test_the_link_of_a_pull_request_shows_its_diff(own: Served, link: str) -> None:
    text = shown(own, link)
    assert "Say &lt;script&gt;" in text
    assert "Why &lt;script&gt;" in text
    assert '<span class="added">+&lt;script&gt;alert(1)&lt;/script&gt;</span>' in text
    assert "Binary files" in text
    assert BRANCH in text


async def test_a_pull_request_whose_branch_is_gone_says_so(own: Served, link: str, shop: Shop) -> None:
    git("update-ref", "-d", f"refs/heads/{BRANCH}", at=shop.bare)
    assert "is gone, and its changes cannot be shown" in shown(own, link)


async def test_the_repository_shows_branches_files_and_open_pulls(own: Served, link: str) -> None:
    text = shown(own, "/acme/shop")
    assert link.partition("/acme/shop")[2] in text
    for said in ("feature/cart", "README.md", "docs/", "The shop", "Pull requests"):
        assert said in text
    assert 'href="/acme/shop"' in shown(own, "/")


def test_a_branch_with_a_slash_its_commits_and_their_diffs(own: Served, shop: Shop) -> None:
    assert "A cart" in shown(own, "/acme/shop/tree/feature/cart")
    text = shown(own, f"/acme/shop/commit/{shop.feature}")
    assert "With a longer word on it." in text
    assert '<span class="removed">-# Shop</span>' in text
    assert '<span class="added">+# Shop, with a cart</span>' in text
    assert "The shop" in shown(own, f"/acme/shop/commit/{shop.main}")


@pytest.mark.parametrize("path", STRANGE_NAMES)
def test_the_links_of_a_folder_lead_to_its_files(own: Served, path: str) -> None:
    folder, _, name = path.rpartition("/")
    listed = shown(own, f"/acme/shop/tree/main/{quote(folder)}")
    links = [unescape(part.partition('"')[0]) for part in listed.split('href="')[1:]]
    assert name in unescape(listed)
    files = [unescape(shown(own, one)) for one in links if "/blob/" in one]
    assert any(f"this is {path}\n" in text for text in files)


@pytest.mark.parametrize(
    "path", ["/acme/nothing", "/acme/shop/pull/99", "/acme/shop/commit/--help", "/acme/shop/tree/--output=x", "/x/y"]
)
def test_what_is_not_there_is_a_page_for_people_and_json_for_programs(own: Served, path: str) -> None:
    answer = page(own, path)
    assert (answer.status_code, "Not found" in answer.text) == (404, True)
    assert page(own, path, accept="application/json").json()["message"] == "Not Found"


def test_another_host_name_reads_nothing(own: Served) -> None:
    answer = page(own, "/acme/shop", host="attacker.example")
    assert (answer.status_code, "README.md" in answer.text) == (404, False)


def test_an_empty_repository_has_a_page(own: Served) -> None:
    assert "There is none yet." in shown(own, "/acme/empty")


def test_pages_are_only_read(own: Served) -> None:
    assert httpx.post(f"{own.address}/acme/shop").status_code == 405
