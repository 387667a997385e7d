"""How a commit gets into a container: as a pack that nobody has opened before; the container makes the tree of it."""

from typing import Final

from sandbox.result import RunResult

PACK: Final = "repository.pack"
MARK: Final = "checked-out"
TREE: Final = "tree"
"""Where the work tree lies."""
# Runs inside. The mark tells a tree that could not be made from a command that failed; who removes it, a command of
# the same user, deceives only itself.
CHECK_OUT: Final = f"""\
commit=$1; shift
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1
git init --quiet {TREE}
git -C {TREE} index-pack --stdin < {PACK} > /dev/null
rm {PACK}
printf '%s\\n' "$commit" > {TREE}/.git/shallow
git -C {TREE} -c advice.detachedHead=false checkout --quiet --detach "$commit"
: > {MARK}
unset GIT_CONFIG_GLOBAL GIT_CONFIG_NOSYSTEM
cd {TREE}
"""
"""Takes the commit's id from the arguments and ends in its work tree. The run keeps `MARK` as an artifact."""

PATCH: Final = "change.patch"
# A patch is a stranger's text, too: git writes through no link and nothing outside of the tree.
APPLY: Final = f"""\
GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1 git apply --whitespace=nowarn ../{PATCH}
rm ../{PATCH}
"""
"""After `CHECK_OUT`: makes the change of a patch in the work tree."""

LIBRARIES: Final = "libraries.tar"
UNPACK: Final = f"""\
tar --extract --file ../{LIBRARIES} --directory ..
rm ../{LIBRARIES}
"""
"""After `CHECK_OUT`: puts what an update fetched beside the tree, or where npm looks for it."""
FOUND_BY: Final = {
    "PYTHONPATH": "/workspace/libraries",
    "GOPROXY": "file:///workspace/libraries/go",
    "GOSUMDB": "off",  # nothing new can come: each digest stands in go.sum, or the go command ends
    "GOFLAGS": "-mod=readonly",
    "GOTOOLCHAIN": "local",
    "GOPATH": "/workspace/cache-of-go",
    "GOCACHE": "/workspace/cache-of-go/built",
    "CGO_ENABLED": "0",
}
"""What makes Python and Go find it."""


def checked_out(result: RunResult) -> bool:
    """Whether the run came so far as to have the tree."""
    return any(artifact.path == MARK for artifact in result.artifacts)
