"""Code that must not come: what runs text, opens a shell, loads anything, or looks away from a certificate.

The sandbox's image has no scanner of its own, so that these are rules of ours: Python by its syntax tree, and only
where a line of it came; the rest by patterns. They catch what a misled model writes, and not who hides it well: a
person reads the change, and the container that runs its tests reaches nothing.
"""

import ast
import re
from collections.abc import Iterator, Mapping
from typing import Final

from sandbox.gate.change import Changed

_CALLS: Final[Mapping[str, str]] = {
    "eval": "runs text as code",
    "exec": "runs text as code",
    "__import__": "imports by a name that is worked out",
    "os.system": "opens a shell",
    "os.popen": "opens a shell",
    "subprocess.getoutput": "opens a shell",
    "subprocess.getstatusoutput": "opens a shell",
    "pickle.load": "makes objects of foreign bytes",
    "pickle.loads": "makes objects of foreign bytes",
    "marshal.loads": "makes objects of foreign bytes",
    "tempfile.mktemp": "names a file that somebody else may make first",
    "ssl._create_unverified_context": "looks away from certificates",
    "yaml.unsafe_load": "makes objects of foreign text",
}
_PATTERNS: Final = (
    (re.compile(r"\b(?:curl|wget)\b[^\n|]{0,200}\|\s*(?:sudo\s+)?(?:ba|z|da)?sh\b"), "runs what it downloads"),
    (re.compile(r"\bnew Function\(|(?<![\w.])eval\("), "runs text as code"),
    (re.compile(r"child_process"), "starts programs"),
    (re.compile(r"rejectUnauthorized\s*:\s*false|InsecureSkipVerify\s*:\s*true"), "looks away from certificates"),
)
_SKIPS: Final = re.compile(
    r"pytest\.mark\.(?:skip|skipif|xfail)\b|pytest\.(?:skip|xfail|importorskip)\(|unittest\.(?:skip\w*|expectedFailure)"
    r"|\.skipTest\(|raise\s+(?:unittest\.)?SkipTest|collect_ignore|pytest_(?:ignore_collect|collection_modifyitems|"
    r"runtest_\w+|pyfunc_call|sessionfinish)|__test__\s*=\s*False"
    r"|\b(?:it|test|describe|suite)\.(?:skip|todo)\b|\bx(?:it|test|describe)\(|\bt\.Skip(?:f|Now)?\(|@(?:Disabled|Ignore)\b"
    r"|os\._exit\(|sys\.exit\(\s*0?\s*\)"
)
_A_TEST: Final = re.compile(
    r"^\s*(?:async\s+)?def\s+test\w*\(|^func\s+Test\w*\(|^\s*(?:it|test)\(|^\s*@(?:Test|ParameterizedTest)\b"
)
_CHECKS: Final = re.compile(r"\bassert\b|\bself\.assert\w+\(|\bexpect\(|\bpytest\.raises\(|\bt\.(?:Error|Fatal)f?\(")
_TURNED: Final = re.compile(
    "[\u00ad\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff\U000e0000-\U000e007f]"
)


def hidden_in(text: str) -> bool:
    """Whether a line reads otherwise than it runs: it has characters that turn text around or are not seen."""
    return _TURNED.search(text) is not None


def dangers_in(file: Changed) -> Iterator[tuple[int, str]]:
    """The lines of a file that came and do what must not come, each with what it does."""
    if file.lines is None or file.content is None:
        return
    if file.path.endswith((".py", ".pyi")):
        yield from _in_python(file.content, {one.number for one in file.lines.added})
        return
    if file.path.endswith((".md", ".rst", ".adoc", ".txt")):
        return
    for line in file.lines.added:
        for pattern, what in _PATTERNS:
            if pattern.search(line.text):
                yield line.number, what


def weakened(file: Changed) -> Iterator[str]:
    """How a file of tests tests less than before."""
    if file.change == "deleted":
        yield "a file of tests is deleted"
        return
    if file.lines is None:
        return
    added = [one.text for one in file.lines.added]
    if any(_SKIPS.search(one) for one in added):
        yield "a test is skipped, is expected to fail, or is taken out of the collection"
    for pattern, what in ((_A_TEST, "tests"), (_CHECKS, "assertions")):
        came, went = (sum(pattern.search(one) is not None for one in lines) for lines in (added, file.lines.removed))
        if went > came:
            yield f"{went - came} {what} fewer than before"


def _in_python(content: bytes, came: set[int]) -> Iterator[tuple[int, str]]:
    try:
        tree = ast.parse(content)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = error.lineno if isinstance(error, SyntaxError) else None
        yield line or 1, "is no Python that can be read"
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and came & set(range(node.lineno, (node.end_lineno or node.lineno) + 1)):
            what = _CALLS.get(_dotted(node.func)) or _by_keyword(node)
            if what is not None:
                yield node.lineno, what


def _by_keyword(call: ast.Call) -> str | None:
    said = {one.arg: one.value for one in call.keywords}
    if _is(said.get("shell"), value=True):
        return "opens a shell"
    if _is(said.get("verify"), value=False):
        return "looks away from certificates"
    if _dotted(call.func) == "yaml.load" and "Loader" not in said and len(call.args) < 2:  # noqa: PLR2004 - its loader
        return "makes objects of foreign text"
    return None


def _is(node: ast.expr | None, *, value: bool) -> bool:
    return isinstance(node, ast.Constant) and node.value is value


def _dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Name):
        return node.id
    return f"{_dotted(node.value)}.{node.attr}" if isinstance(node, ast.Attribute) else ""
