"""What tools may write and run. Pure: the words are judged before a container hears of them.

The deployment's rules are the widest; a session's own come on top and only narrow them. The container is shut whatever
is written or run in it. These rules are about what leaves it: a change of a workflow of the CI's, once merged, runs
where there are credentials. So they hold for every file of the change at its end as well, whoever wrote it.
"""

import re
import shlex
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Annotated, Final, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from hitl.hidden import visible

PROTECTED: Final = (
    "**/.gitmodules", "**/.gitattributes",
    ".github/**", ".gitlab-ci.yml", ".gitlab/**", ".circleci/**", ".buildkite/**", ".travis.yml", ".drone.yml",
    ".ci/**", "Jenkinsfile", "azure-pipelines.yml", "bitbucket-pipelines.yml", "**/CODEOWNERS",
    "**/*.lock", "**/package-lock.json", "**/npm-shrinkwrap.json", "**/pnpm-lock.yaml", "**/go.sum", "**/bun.lockb",
    "banksman.yaml", "**/policy.yaml",
)  # fmt: skip
"""Never written unless the deployment says so: what the CI runs, what pins other people's code, who must approve."""
MORE: Final = "..."
"""The last word of a command's pattern: any further arguments."""
_LONGEST_PATH: Final = 500
_LONGEST_COMMAND: Final = 50_000
_SHOWN: Final = 80
_SHELLS: Final = frozenset(
    {"sh", "bash", "dash", "ash", "ksh", "zsh", "fish", "busybox", "env", "xargs", "nohup", "timeout"}
)
"""What runs whatever it is told: listed whole or not at all."""
_WILD: Final = re.compile(r"[*?]")
_MOST_WILD: Final = 8
"""In one pattern: more make matching slow, and nobody reads them."""


def _glob(value: str) -> str:
    parts = value.split("/")
    odd = any(part in {"", ".", ".."} or ("**" in part and part != "**") for part in parts)
    if odd or not value.isprintable() or len(_WILD.findall(value)) > _MOST_WILD:
        raise ValueError(
            f"{visible(value[:_SHOWN])!r} is no pattern for paths; write it from the repository's root, as in docs/** "
            f"or **/*.md, with {_MOST_WILD} wildcards at most"
        )
    return value


def _pattern(value: tuple[str, ...]) -> tuple[str, ...]:
    shown = visible(shlex.join(value)[:_SHOWN])
    if not value or not value[0] or _WILD.search(value[0]) or value[0] == MORE:
        raise ValueError(f"{shown!r} must begin with one program, by its name and without '*'")
    if any(len(_WILD.findall(one)) > _MOST_WILD for one in value):
        raise ValueError(f"{shown!r} has an argument with more than {_MOST_WILD} wildcards")
    if MORE in value[:-1]:
        raise ValueError(f"{shown!r} has '{MORE}' before its end; it stands for all further arguments")
    open_at = next((at for at, one in enumerate(value) if one == MORE or _WILD.search(one)), None)
    program = value[0].rpartition("/")[2]
    if open_at is not None and (program in _SHELLS or (open_at == 1 and _interprets(program))):
        raise ValueError(f"{shown!r} would run anything: write out what {program!r} is to be given")
    return value


def _interprets(program: str) -> bool:
    return re.fullmatch(r"(python|perl|ruby|node|php|lua|awk|gawk|mawk)[0-9.]*", program) is not None


Glob = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_glob)]
Pattern = Annotated[tuple[str, ...], Field(max_length=100), AfterValidator(_pattern)]


class SessionRules(BaseModel):
    """What one session may write and run, where the deployment lets it.

    Attributes:
        write: Paths that it may write.
        deny: Paths that it may not, whatever `write` says.
        run: Commands that it may run; None is all that the deployment lists.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    write: tuple[Glob, ...] = Field(default=("**",), max_length=100)
    deny: tuple[Glob, ...] = Field(default=(), max_length=100)
    run: tuple[Pattern, ...] | None = Field(default=None, max_length=100)


class ToolRules(BaseModel):
    """What the deployment lets tools write and run.

    Attributes:
        write: Paths that may be written.
        deny: Paths that may not, whatever `write` says.
        unprotected: Of `PROTECTED`, the patterns that do not count here.
        run: Commands that may be run: a program, then its arguments. `*` is within one argument and takes none that
            begins with `-`; a last `...` is any further arguments.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    write: tuple[Glob, ...] = ("**",)
    deny: tuple[Glob, ...] = ()
    unprotected: tuple[str, ...] = ()
    run: tuple[Pattern, ...] = (
        ("git", "status", MORE),
        ("git", "diff", MORE),
        ("python3", "-m", "pytest", MORE),
        ("python3", "-m", "unittest", MORE),
        ("python3", "-m", "compileall", MORE),
        ("make", "check"),
        ("make", "test"),
    )

    @model_validator(mode="after")
    def _known(self) -> Self:
        if unknown := [one for one in self.unprotected if one not in PROTECTED]:
            raise ValueError(f"{unknown[0][:_SHOWN]!r} is not protected; 'unprotected' names {', '.join(PROTECTED)}")
        return self

    def refusal_to_write(self, path: str, session: SessionRules) -> str | None:
        """Why a path is not written; None where it may be."""
        shown = visible(path[:_SHOWN])
        if (odd := refusal_of_path(path)) is not None:
            return odd
        protected = [one for one in PROTECTED if one not in self.unprotected]
        if hit := _first(protected, path, folded=True):
            return f"{shown!r} is protected ({hit}): the deployment lets no tool write it"
        for rules in (self, session):
            if hit := _first(rules.deny, path, folded=True):
                return f"{shown!r} may not be written ({hit}); {_may_write(rules)}"
            if not _first(rules.write, path):
                return f"{shown!r} may not be written; {_may_write(rules)}"
        return None

    def refusal_to_run(self, argv: Sequence[str], session: SessionRules) -> str | None:
        """Why a command is not run; None where it may be."""
        if any("\0" in one for one in argv) or sum(map(len, argv)) > _LONGEST_COMMAND:
            return f"no argument holds a zero byte, and all together are {_LONGEST_COMMAND} characters at most"
        for listed in (self.run, session.run):
            if listed is not None and not any(_fits(pattern, argv) for pattern in listed):
                both = [one for one in self.run if session.run is None or one in session.run] or list(listed)
                allowed = "; ".join(shlex.join(one).replace("'", "") for one in both) or "nothing"
                return f"{visible(shlex.join(argv)[:_SHOWN])!r} is not on the list of commands: {allowed[:1000]}"
        return None


def refusal_of_path(path: str) -> str | None:
    """Why a path is none of a file in a repository; None where it is one."""
    parts = path.split("/")
    told = f"{visible(path[:_SHOWN])!r} is not a file's path from the root of the repository"
    if any(part in {"", ".", ".."} for part in parts):
        return f"{told}: write no leading '/', '.' or '..'"
    if not path.isprintable() or "\\" in path:
        return f"{told}: it holds a character that no path here may"
    if len(path.encode(errors="replace")) > _LONGEST_PATH:
        return f"{told}: it is longer than {_LONGEST_PATH} bytes"
    if any(_is_gits(part) for part in parts):
        return f"{told}: git's own folder is not touched"
    return None


def _is_gits(part: str) -> bool:
    """Also as other file systems write it."""
    plain = part.rstrip(". ").casefold()
    return plain == ".git" or re.fullmatch(r"git~[0-9]+", plain) is not None


def _may_write(rules: SessionRules | ToolRules) -> str:
    but = f", but not {', '.join(rules.deny)}" if rules.deny else ""
    return f"allowed is {', '.join(rules.write) or 'nothing'}{but}"


def matches(globs: Iterable[str], path: str) -> bool:
    """Whether one of the patterns fits a path, in any case of its letters."""
    return _first(globs, path, folded=True) is not None


def _first(globs: Iterable[str], path: str, *, folded: bool = False) -> str | None:
    """The first pattern that fits; what forbids does so in any case of its letters."""
    for one in globs:
        found = _compiled(one.casefold()).fullmatch(path.casefold()) if folded else _compiled(one).fullmatch(path)
        if found:
            return one
    return None


@cache
def _compiled(glob: str) -> re.Pattern[str]:
    """`**` is any number of folders, and at the end everything below; `*` stays within one name."""
    *folders, last = glob.split("/")
    ways = ["(?:[^/]+/)*" if part == "**" else f"{_words(part, '[^/]')}/" for part in folders]
    return re.compile("".join(ways) + ("(?:[^/]+/)*[^/]+" if last == "**" else _words(last, "[^/]")))


def _words(part: str, one: str) -> str:
    """A regular expression, in which `?` is one of these characters and `*` any number."""
    return "".join({"*": f"{one}*", "?": one}.get(character, re.escape(character)) for character in part)


def _fits(pattern: Sequence[str], argv: Sequence[str]) -> bool:
    more = pattern[-1] == MORE
    fixed = pattern[:-1] if more else pattern
    if len(argv) < len(fixed) or (len(argv) > len(fixed) and not more):
        return False
    return all(_argument(wanted, given) for wanted, given in zip(fixed, argv, strict=False))


def _argument(wanted: str, given: str) -> bool:
    if not _WILD.search(wanted):
        return wanted == given
    if given.startswith("-") and not wanted.startswith("-"):
        return False
    return re.fullmatch(_words(wanted, "."), given, re.DOTALL) is not None
