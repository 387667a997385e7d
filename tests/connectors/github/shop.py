"""Repositories with everything in them that a reader may meet, made by git itself."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

BINARY = bytes(range(256)) * 3
LARGE = os.urandom(2 * 1024 * 1024)
SUBMODULE = "0123456789abcdef0123456789abcdef01234567"
STRANGE_NAMES = (
    "docs/ünï cödé/日本.txt",
    "docs/a#b?c%20d&e=f.txt",
    "docs/[a-z]*.txt",
    "docs/-rf",
    "docs/'quote\".txt",
    "docs/two\nlines.txt",
    "docs/\n",
)


@dataclass(frozen=True)
class Shop:
    """`acme/shop`, and what git says of it."""

    repositories: Path
    main: str
    feature: str
    tag: str

    @property
    def bare(self) -> Path:
        """Where it lies."""
        return self.repositories / "acme" / "shop.git"

    def blob(self, path: str, *, at: str = "main") -> str:
        """Git's id of a file."""
        return git("rev-parse", f"{at}:{path}", at=self.bare)


def git(*arguments: str, at: Path) -> str:
    """Run git as nobody in particular."""
    who = {
        f"GIT_{role}_{part}": f"{role.lower()}@example.com" for role in ("AUTHOR", "COMMITTER") for part in ("NAME",)
    }
    mail = {"GIT_AUTHOR_EMAIL": "author@example.com", "GIT_COMMITTER_EMAIL": "committer@example.com"}
    environment = {
        "PATH": os.environ["PATH"],
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        **who,
        **mail,
    }
    done = subprocess.run(["git", *arguments], cwd=at, env=environment, check=True, capture_output=True)
    return done.stdout.decode().strip()


def build(folder: Path) -> Shop:
    """Make `acme/shop` with all kinds of content, `acme/other`, `acme/empty` and `globex/shop`."""
    work, repositories = folder / "work", folder / "repositories"
    (work / "docs" / "ünï cödé").mkdir(parents=True)
    (repositories / "acme").mkdir(parents=True)
    (repositories / "globex").mkdir()
    git("init", "--quiet", "--initial-branch=main", at=work)
    _write(work)
    main = _commit(work, "The shop")
    git("tag", "--annotate", "v1.0", "-m", "first", at=work)
    git("checkout", "--quiet", "-b", "feature/cart", at=work)
    (work / "README.md").write_text("# Shop, with a cart\n")
    feature = _commit(work, "A cart\n\nWith a longer word on it.")
    git("checkout", "--quiet", "main", at=work)
    for name in ("acme/shop", "acme/other", "globex/shop"):
        git("clone", "--quiet", "--bare", str(work), str(repositories / f"{name}.git"), at=folder)
    git("init", "--quiet", "--bare", "--initial-branch=main", str(repositories / "acme" / "empty.git"), at=folder)
    return Shop(repositories, main=main, feature=feature, tag="v1.0")


def _write(work: Path) -> None:
    (work / "README.md").write_text("# Shop\n")
    (work / "empty").write_bytes(b"")
    (work / "binary").write_bytes(BINARY)
    (work / "large").write_bytes(LARGE)
    (work / "run.sh").write_text("#!/bin/sh\n")
    (work / "run.sh").chmod(0o755)
    for name in STRANGE_NAMES:
        (work / name).write_text(f"this is {name}\n")
    (work / "docs" / "link").symlink_to("../README.md")
    (work / "outside").symlink_to("/etc/passwd")
    (work / "above").symlink_to("../../elsewhere")
    (work / "folder-link").symlink_to("docs")
    (work / ".gitmodules").write_text('[submodule "lib"]\n\tpath = vendor/lib\n\turl = https://example.com/lib.git\n')
    git("update-index", "--add", "--cacheinfo", f"160000,{SUBMODULE},vendor/lib", at=work)


def _commit(work: Path, message: str) -> str:
    git("add", "--all", "--", ":!vendor", at=work)
    git("commit", "--quiet", "-m", message, at=work)
    return git("rev-parse", "HEAD", at=work)
