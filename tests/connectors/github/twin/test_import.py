"""A local repository brought behind the twin, twice and more: what moved there moves here, what was pushed stays."""

import os
from pathlib import Path

import pytest

from connectors.github.git import GitError, import_repository
from tests.connectors.github.twin.server import commit, git, head, make_repository


@pytest.fixture
def work(tmp_path: Path) -> Path:
    return make_repository(tmp_path / "work", {"README.md": "one"})


@pytest.fixture
def mirror(tmp_path: Path) -> Path:
    return tmp_path / "repositories" / "acme" / "shop.git"


def refs(at: Path) -> dict[str, str]:
    out = git(at, "for-each-ref", "--format=%(refname) %(objectname)", "refs/heads", "refs/tags").stdout.decode()
    return dict(line.split(" ") for line in out.splitlines())


def default(mirror: Path) -> str:
    return git(mirror, "symbolic-ref", "--short", "HEAD").stdout.decode().strip()


async def test_branches_and_tags_come_along(work: Path, mirror: Path) -> None:
    git(work, "branch", "a/b")
    git(work, "tag", "-a", "v1", "-m", "v1")
    (work / "README.md").write_text("not committed")
    await import_repository(work, mirror)
    assert refs(mirror) == refs(work)
    assert default(mirror) == "main"
    assert git(mirror, "show", "HEAD:README.md").stdout == b"one"


async def test_the_default_branch_is_the_one_checked_out(work: Path, mirror: Path) -> None:
    git(work, "checkout", "--quiet", "-b", "trunk")
    await import_repository(work, mirror)
    assert default(mirror) == "trunk"
    git(work, "checkout", "--quiet", "main")
    await import_repository(work, mirror)
    assert default(mirror) == "main"


async def test_a_second_import_brings_new_commits_and_takes_what_is_gone(work: Path, mirror: Path) -> None:
    git(work, "branch", "gone")
    git(work, "tag", "gone-too")
    await import_repository(work, mirror)
    git(work, "branch", "-D", "gone")
    git(work, "tag", "-d", "gone-too")
    commit(work, {"README.md": "two"})
    await import_repository(work, mirror)
    assert refs(mirror) == refs(work)


async def test_an_import_without_news_changes_nothing(work: Path, mirror: Path) -> None:
    for _ in range(3):
        await import_repository(work, mirror)
        assert refs(mirror) == refs(work)


async def test_rewritten_history_is_followed(work: Path, mirror: Path) -> None:
    await import_repository(work, mirror)
    old = head(work)
    git(work, "commit", "--quiet", "--amend", "-m", "Rewritten")
    git(work, "tag", "moved", old)
    await import_repository(work, mirror)
    git(work, "tag", "--force", "moved", "HEAD")
    await import_repository(work, mirror)
    assert head(mirror) == head(work) != old
    assert refs(mirror) == refs(work)


async def test_a_branch_may_become_a_folder_of_branches_and_back(work: Path, mirror: Path) -> None:
    git(work, "branch", "a")
    await import_repository(work, mirror)
    git(work, "branch", "-D", "a")
    git(work, "branch", "a/b")
    await import_repository(work, mirror)
    assert refs(mirror) == refs(work)
    git(work, "branch", "-D", "a/b")
    git(work, "branch", "a")
    await import_repository(work, mirror)
    assert refs(mirror) == refs(work)


async def test_what_was_pushed_to_the_mirror_survives(work: Path, mirror: Path, tmp_path: Path) -> None:
    await import_repository(work, mirror)
    git(tmp_path, "clone", "--quiet", str(mirror), "agent")
    agent = tmp_path / "agent"
    merged = commit(agent, {"README.md": "merged by the agent"})
    git(agent, "push", "--quiet", "origin", "main", "main:agent/change")
    git(work, "branch", "other")
    await import_repository(work, mirror)
    assert refs(mirror) == {
        "refs/heads/main": merged,
        "refs/heads/agent/change": merged,
        "refs/heads/other": head(work),
    }
    moved = commit(work, {"README.md": "moved in the source"})
    await import_repository(work, mirror)
    assert refs(mirror)["refs/heads/main"] == moved
    assert refs(mirror)["refs/heads/agent/change"] == merged


async def test_a_branch_deleted_in_the_mirror_and_in_the_source_is_no_trouble(work: Path, mirror: Path) -> None:
    git(work, "branch", "gone")
    await import_repository(work, mirror)
    git(mirror, "branch", "-D", "gone")
    git(work, "branch", "-D", "gone")
    await import_repository(work, mirror)
    assert refs(mirror) == refs(work)


async def test_a_linked_work_tree(work: Path, mirror: Path, tmp_path: Path) -> None:
    git(work, "worktree", "add", "--quiet", "-b", "side", str(tmp_path / "side"))
    made = commit(tmp_path / "side", {"side.txt": "side"})
    await import_repository(tmp_path / "side", mirror)
    assert (default(mirror), head(mirror)) == ("side", made)
    assert refs(mirror) == refs(work)


async def test_a_detached_linked_work_tree(work: Path, mirror: Path, tmp_path: Path) -> None:
    git(work, "worktree", "add", "--quiet", "--detach", str(tmp_path / "side"))
    made = commit(tmp_path / "side", {"side.txt": "side"})
    await import_repository(tmp_path / "side", mirror)
    assert (default(mirror), head(mirror)) == ("main", made)


async def test_a_folder_inside_a_work_tree_and_a_bare_repository(work: Path, mirror: Path, tmp_path: Path) -> None:
    commit(work, {"deep/er/file": "x"})
    await import_repository(work / "deep" / "er", mirror)
    assert refs(mirror) == refs(work)
    second = tmp_path / "repositories" / "acme" / "second.git"
    await import_repository(mirror, second)
    assert refs(second) == refs(work)


async def test_a_shallow_clone(work: Path, mirror: Path, tmp_path: Path) -> None:
    commit(work, {"README.md": "two"})
    git(tmp_path, "clone", "--quiet", "--depth=1", work.as_uri(), "shallow")
    await import_repository(tmp_path / "shallow", mirror)
    assert head(mirror) == head(work)
    assert git(mirror, "rev-list", "--count", "HEAD").stdout.strip() == b"1"
    git(tmp_path / "shallow", "fetch", "--quiet", "--unshallow")
    commit(tmp_path / "shallow", {"README.md": "three"})
    await import_repository(tmp_path / "shallow", mirror)
    assert git(mirror, "rev-list", "--count", "HEAD").stdout.strip() == b"3"


async def test_a_detached_head_becomes_main(work: Path, mirror: Path) -> None:
    first = head(work)
    commit(work, {"README.md": "two"})
    git(work, "checkout", "--quiet", "--detach", first)
    await import_repository(work, mirror)
    assert (default(mirror), head(mirror)) == ("main", first)
    git(work, "checkout", "--quiet", "main")
    await import_repository(work, mirror)
    assert refs(mirror) == refs(work)


async def test_a_detached_commit_on_no_branch_comes_along(work: Path, mirror: Path) -> None:
    git(work, "checkout", "--quiet", "--detach")
    made = commit(work, {"README.md": "loose"})
    git(work, "branch", "-D", "main")
    await import_repository(work, mirror)
    assert refs(mirror) == {"refs/heads/main": made}


async def test_a_repository_without_commits_is_explained(tmp_path: Path, mirror: Path) -> None:
    git(tmp_path, "init", "--quiet", "empty")
    with pytest.raises(GitError) as error:
        await import_repository(tmp_path / "empty", mirror)
    assert str(error.value) == f"{str(tmp_path / 'empty')!r} has no commit yet: `git commit` there, and try again"
    assert not mirror.exists()


@pytest.mark.parametrize("name", ["plain", "gone", "file"])
async def test_what_is_no_repository_is_explained(tmp_path: Path, mirror: Path, name: str) -> None:
    (tmp_path / "plain").mkdir()
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(GitError) as error:
        await import_repository(tmp_path / name, mirror)
    assert str(error.value).startswith(f"{str(tmp_path / name)!r} is not a git repository: ")
    assert not mirror.exists()


async def test_an_import_that_broke_off_is_done_again(work: Path, mirror: Path) -> None:
    mirror.mkdir(parents=True)
    git(mirror, "init", "--quiet", "--bare")
    await import_repository(work, mirror)
    assert refs(mirror) == refs(work)
    assert git(mirror, "config", "http.receivepack").stdout == b"true\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a repository to somebody else")
async def test_a_repository_of_somebody_else_is_read(work: Path, mirror: Path) -> None:
    for path in [work, *work.rglob("*")]:
        os.chown(path, 12345, 12345, follow_symlinks=False)
    await import_repository(work, mirror)
    assert git(mirror, "show", "main:README.md").stdout == b"one"


async def test_odd_names_of_branches_and_folders(tmp_path: Path, mirror: Path) -> None:
    work = make_repository(tmp_path / "it's a $HOME; -folder", {"README.md": "one"})
    git(work, "branch", "größe/日本")
    git(work, "tag", "with'quote")
    await import_repository(work, mirror)
    assert refs(mirror) == refs(work)
