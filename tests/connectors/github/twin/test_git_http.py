"""Clone and push through the twin with real git: the token as the password, and nothing beyond what it permits."""

import gzip
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.connectors.github.twin.server import WEB, Twin, all_refs, commit, git, head


def clone(twin: Twin, into: Path, token: str, *options: str, repository: str = "acme/shop") -> Path:
    git(into.parent, "clone", "--quiet", *options, twin.remote(token, repository), str(into))
    return into


def refusal(at: Path, *arguments: str) -> str:
    done = git(at, *arguments, check=False)
    assert done.returncode != 0, done.stdout.decode()
    return done.stderr.decode()


def bare(twin: Twin, repository: str = "acme/shop") -> Path:
    return twin.config.repositories / f"{repository}.git"


def test_a_clone_is_the_repository(twin: Twin, source: Path, tmp_path: Path) -> None:
    copy = clone(twin, tmp_path / "copy", twin.token("shop"))
    assert head(copy) == head(source, "main")
    assert (copy / "README.md").read_text() == "# Shop\n"
    assert (copy / "docs/grüße/日本 語.txt").read_text() == "unicode\n"
    refs = git(copy, "for-each-ref", "--format=%(refname)").stdout.decode().split()
    assert "refs/remotes/origin/feature/deep/one" in refs
    assert "refs/tags/v1-annotated" in refs


def test_nothing_of_the_mirrors_own_is_told(twin: Twin, tmp_path: Path) -> None:
    out = git(tmp_path, "ls-remote", twin.remote(twin.token("shop"), "acme/shop")).stdout.decode()
    assert "refs/heads/main" in out
    assert "source" not in out


@pytest.mark.parametrize("options", [("--depth=1",), ("--filter=blob:none",), ("--branch=next", "--single-branch")])
def test_partial_clones(twin: Twin, tmp_path: Path, options: tuple[str, ...]) -> None:
    assert (clone(twin, tmp_path / "copy", twin.token("shop"), *options) / "README.md").exists()


@pytest.mark.parametrize("protocol", ["0", "1", "2"])
def test_every_version_of_the_protocol(twin: Twin, tmp_path: Path, protocol: str) -> None:
    remote = twin.remote(twin.token("shop"), "acme/shop")
    git(tmp_path, "-c", f"protocol.version={protocol}", "clone", "--quiet", remote, "copy")
    assert (tmp_path / "copy" / "README.md").exists()


def test_names_differ_in_case(twin: Twin, tmp_path: Path) -> None:
    token = twin.token("Case.Name", owner="Other")
    clone(twin, tmp_path / "copy", token, repository="oTHER/cASE.nAME")


def test_concurrent_clones(twin: Twin, tmp_path: Path) -> None:
    token = twin.token("shop")

    def one(number: int) -> Path:
        return clone(twin, tmp_path / str(number), token)

    with ThreadPoolExecutor(6) as pool:
        copies = list(pool.map(one, range(6)))
    assert len({head(copy) for copy in copies}) == 1


def test_a_push_arrives(twin: Twin, tmp_path: Path) -> None:
    copy = clone(twin, tmp_path / "copy", twin.token("shop", contents="write"))
    git(copy, "checkout", "--quiet", "-b", "pushed/one")
    made = commit(copy, {"new.txt": "new"})
    git(copy, "push", "--quiet", "origin", "pushed/one")
    assert head(bare(twin), "refs/heads/pushed/one") == made
    git(copy, "push", "--quiet", "origin", ":pushed/one")
    assert "pushed/one" not in all_refs(twin.config.repositories)["acme/shop.git"]


def test_a_large_push_arrives_in_chunks(twin: Twin, tmp_path: Path) -> None:
    # Above http.postBuffer (1 MB) git does not know the length beforehand.
    copy = clone(twin, tmp_path / "copy", twin.token("shop", contents="write"))
    git(copy, "checkout", "--quiet", "-b", "large")
    made = commit(copy, {"noise.bin": os.urandom(3_000_000)})
    git(copy, "push", "--quiet", "origin", "large")
    assert head(bare(twin), "refs/heads/large") == made
    assert len(git(bare(twin), "cat-file", "blob", "large:noise.bin").stdout) == 3_000_000


def test_a_request_may_be_gzipped(twin: Twin) -> None:
    # git does so itself for long negotiations; here by hand, to be sure that it is.
    want = head(bare(twin), "refs/heads/main")
    line = f"want {want} no-progress\n"
    body = f"{len(line) + 4:04x}{line}00000009done\n".encode()
    url = f"{twin.url}/acme/shop.git/git-upload-pack"
    headers = {"content-type": "application/x-git-upload-pack-request", "content-encoding": "gzip"}
    auth = ("x-access-token", twin.token("shop"))
    response = WEB.post(url, content=gzip.compress(body), headers=headers, auth=auth)
    assert (response.status_code, response.headers["content-type"]) == (200, "application/x-git-upload-pack-result")
    assert b"PACK" in response.content
    chunked = WEB.post(
        url, content=iter([body[:10], body[10:]]), headers={"content-type": headers["content-type"]}, auth=auth
    )
    assert b"PACK" in chunked.content


def test_a_push_with_a_reading_token_is_refused(twin: Twin, tmp_path: Path) -> None:
    before = all_refs(twin.config.repositories)
    copy = clone(twin, tmp_path / "copy", twin.token("shop"))
    commit(copy, {"new.txt": "new"})
    assert "403" in refusal(copy, "push", "origin", "main")
    assert all_refs(twin.config.repositories) == before


def test_a_reading_token_cannot_post_a_pack_either(twin: Twin) -> None:
    before = all_refs(twin.config.repositories)
    new, old = head(bare(twin), "refs/heads/next"), head(bare(twin), "refs/heads/main")
    line = f"{old} {new} refs/heads/main\0report-status"
    body = f"{len(line) + 4:04x}{line}0000".encode()
    auth = ("x-access-token", twin.token("shop"))
    for path in ("git-receive-pack", "git-receive-pack?service=git-upload-pack", "/git-receive-pack"):
        response = WEB.post(f"{twin.url}/acme/shop.git/{path}", content=body, auth=auth)
        assert response.status_code == 403, path
    assert all_refs(twin.config.repositories) == before


def test_a_token_clones_its_repository_only(twin: Twin, tmp_path: Path) -> None:
    token = twin.token("shop", contents="write")
    for other in ("acme/hidden", "acme/empty", "other/case.name", "acme/gone"):
        assert "not found" in refusal(tmp_path, "clone", twin.remote(token, other), "copy"), other


def test_a_token_without_contents_clones_nothing(twin: Twin, tmp_path: Path) -> None:
    assert "403" in refusal(tmp_path, "clone", twin.remote(twin.token("shop", issues="write"), "acme/shop"), "copy")


def test_a_token_that_has_ended_clones_nothing(twin: Twin, tmp_path: Path) -> None:
    revoked, old = twin.token("shop"), twin.token("shop")
    twin.authority.revoke(revoked)
    assert "Authentication failed" in refusal(tmp_path, "clone", twin.remote(revoked, "acme/shop"), "copy")
    twin.clock.moved = 3601
    assert "Authentication failed" in refusal(tmp_path, "clone", twin.remote(old, "acme/shop"), "copy")


@pytest.mark.parametrize(
    "headers",
    [{}, {"authorization": "Bearer TOKEN"}, {"authorization": "Basic !!!"}, {"authorization": "Basic /w=="}],
)
def test_without_the_password_git_is_asked_for_it(twin: Twin, headers: dict[str, str]) -> None:
    token = twin.token("shop")
    sent = {name: value.replace("TOKEN", token) for name, value in headers.items()}
    response = WEB.get(f"{twin.url}/acme/shop.git/info/refs?service=git-upload-pack", headers=sent)
    assert (response.status_code, response.headers["www-authenticate"]) == (401, 'Basic realm="GitHub"')


def test_the_token_is_the_password_of_one_user_only(twin: Twin) -> None:
    url, token = f"{twin.url}/acme/shop.git/info/refs?service=git-upload-pack", twin.token("shop")
    assert WEB.get(url, auth=("x-access-token", token)).status_code == 200
    for user, password in (("ada", token), (token, "x-oauth-basic"), ("x-access-token", "")):
        assert WEB.get(url, auth=(user, password)).status_code == 401


@pytest.mark.parametrize(
    "path",
    [
        "acme/shop.git/HEAD",
        "acme/shop.git/config",
        "acme/shop.git/objects/info/packs",
        "acme/shop.git/info/refs",
        "acme/shop.git/info/refs?service=git-upload-archive",
        "acme/shop.git/info/refs?service=--upload-pack=x",
        "acme/shop.git/git-upload-archive",
        "acme/shop.git/../hidden.git/config",
        "acme/shop.git/%2e%2e/hidden.git/info/refs?service=git-upload-pack",
        "acme/%2e%2e%2facme%2fhidden.git/info/refs?service=git-upload-pack",
        "%2e%2e/hidden.git/info/refs?service=git-upload-pack",
        "acme/hidden.git/info/refs?service=git-upload-pack",
        "acme/sho%00p.git/info/refs?service=git-upload-pack",
        "acme/*.git/info/refs?service=git-upload-pack",
        "acme/.git/info/refs?service=git-upload-pack",
    ],
)
def test_nothing_but_gits_protocol_on_that_repository_is_served(twin: Twin, path: str) -> None:
    response = WEB.get(f"{twin.url}/{path}", auth=("x-access-token", twin.token("shop")))
    assert response.status_code in {403, 404}
    assert b"refs/heads" not in response.content
    assert b"[core]" not in response.content


def test_a_ref_is_no_option(twin: Twin, tmp_path: Path) -> None:
    token = twin.token("shop")
    witness = tmp_path / "witness"
    for ref in (f"--upload-pack=touch {witness}", f"--output={witness}", "-h", "main\nHEAD", "main\0", "../../config"):
        for path in ("commits/", "git/trees/"):
            url = httpx.URL(f"{twin.url}/repos/acme/shop/").copy_with(
                raw_path=f"/repos/acme/shop/{path}".encode() + _quoted(ref)
            )
            response = WEB.get(url, headers={"authorization": f"Bearer {token}"})
            assert response.status_code in {404, 422}, (path, ref)
        response = WEB.get(
            f"{twin.url}/repos/acme/shop/contents/README.md",
            params={"ref": ref},
            headers={"authorization": f"Bearer {token}"},
        )
        assert response.status_code == 404, ref
    assert not witness.exists()


def test_a_path_is_no_option_and_no_pattern(twin: Twin) -> None:
    token = twin.token("shop")
    for path in ("--help", "*", "READ*", ":(glob)**", ":!x", "../shop/README.md", "a\0b", "docs/../README.md"):
        raw = b"/repos/acme/shop/contents/" + _quoted(path)
        response = WEB.get(httpx.URL(twin.url).copy_with(raw_path=raw), headers={"authorization": f"Bearer {token}"})
        assert response.status_code == 404, path


def _quoted(text: str) -> bytes:
    return "".join(f"%{byte:02x}" for byte in text.encode()).encode()


def test_a_client_that_hangs_up_in_a_push_leaves_nothing(twin: Twin) -> None:
    before = all_refs(twin.config.repositories)
    token = twin.token("shop", contents="write")

    def half() -> "object":
        yield b"0094" + b"0" * 40
        raise ConnectionAbortedError

    with pytest.raises(ConnectionAbortedError):
        WEB.post(
            f"{twin.url}/acme/shop.git/git-receive-pack",
            content=half(),  # pyright: ignore[reportArgumentType] - it breaks off on purpose
            headers={"content-type": "application/x-git-receive-pack-request"},
            auth=("x-access-token", token),
        )
    assert all_refs(twin.config.repositories) == before
    assert WEB.get(f"{twin.url}/repos/acme/shop", headers={"authorization": f"Bearer {token}"}).status_code == 403


def test_a_broken_repository_is_an_error_and_not_an_empty_answer(twin: Twin) -> None:
    broken = twin.config.repositories / "acme" / "broken.git"
    broken.mkdir()
    try:
        token = twin.token("broken")
        url = f"{twin.url}/acme/broken.git/info/refs?service=git-upload-pack"
        assert WEB.get(url, auth=("x-access-token", token)).status_code >= 400
        response = WEB.get(f"{twin.url}/repos/acme/broken/commits/main", headers={"authorization": f"Bearer {token}"})
        assert (response.status_code, response.json()["message"]) == (500, "Server Error")
    finally:
        broken.rmdir()
