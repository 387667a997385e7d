"""Figures of a repository's files, by their paths and sizes alone, and of tests by their text. Pure."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final

from activities.health.figures import Figure, FigureName
from hitl.hidden import visible

LANGUAGES: Final[Mapping[str, str]] = {
    **dict.fromkeys(("py", "pyi"), "Python"),
    **dict.fromkeys(("js", "mjs", "cjs", "jsx"), "JavaScript"),
    **dict.fromkeys(("ts", "tsx"), "TypeScript"),
    **dict.fromkeys(("c", "h"), "C"),
    **dict.fromkeys(("cc", "cpp", "hpp"), "C++"),
    **dict.fromkeys(("sh", "bash"), "Shell"),
    "go": "Go",
    "rs": "Rust",
    "java": "Java",
    "kt": "Kotlin",
    "rb": "Ruby",
    "php": "PHP",
    "cs": "C#",
    "swift": "Swift",
    "scala": "Scala",
    "sql": "SQL",
    "tf": "Terraform",
    "ex": "Elixir",
    "lua": "Lua",
}
_NO_TESTS_OF_THEIR_OWN: Final = frozenset({"SQL", "Terraform", "Shell"})
_MOST_LANGUAGES: Final = 5
_TEST_NAME: Final = re.compile(r"tests?[_-](?P<a>.+)|(?P<b>.+?)(?:[_-]tests?|\.(?:test|spec)|Tests?)")
_TEST_FOLDERS: Final = frozenset({"test", "tests", "__tests__", "spec"})
_DEFINED: Final[Mapping[str, "re.Pattern[str]"]] = {
    "Python": re.compile(r"^[ \t]*(?:async[ \t]+)?def[ \t]+test", re.MULTILINE),
    "JavaScript": re.compile(r"\b(?:it|test)(?:\.each)?[ \t]*\("),
    "TypeScript": re.compile(r"\b(?:it|test)(?:\.each)?[ \t]*\("),
    "Go": re.compile(r"^func[ \t]+Test", re.MULTILINE),
    "Rust": re.compile(r"#\[(?:tokio::)?test\]"),
    "Java": re.compile(r"@(?:Parameterized)?Test\b"),
    "Kotlin": re.compile(r"@(?:Parameterized)?Test\b"),
    "Ruby": re.compile(r"^[ \t]*(?:it[ \t]+[\"']|def[ \t]+test_)", re.MULTILINE),
}
_PLACES: Final = ("", ".github/", "docs/")
_PAPERS: Final[Mapping[str, "re.Pattern[str]"]] = {
    "a readme": re.compile(r"readme(?:\.[a-z]+)?", re.IGNORECASE),
    "a licence": re.compile(r"(?:un)?licen[cs]e(?:[.-][a-z0-9.-]+)?|copying(?:\.[a-z]+)?", re.IGNORECASE),
    "CODEOWNERS": re.compile(r"CODEOWNERS"),
}


def language_of(path: str) -> str | None:
    """By the file's ending."""
    return LANGUAGES.get(path.rpartition(".")[2].lower()) if "." in path.rpartition("/")[2] else None


def is_test(path: str) -> bool:
    """Whether a file of code is one of tests: by its name, or by the folder that it lies in."""
    if language_of(path) is None:
        return False
    *folders, _ = path.split("/")
    return _tested_by_name(path) is not None or bool(_TEST_FOLDERS.intersection(folders))


def measure_files(sizes: Mapping[str, int], *, whole: bool) -> list[Figure]:
    """Size, files, languages, tests by their files, and the papers that are missing.

    Args:
        sizes: Bytes by path.
        whole: Whether GitHub listed all files.
    """
    some = "" if whole else "GitHub lists no more of its files"
    return [
        Figure(name=FigureName.SIZE, value=sum(sizes.values()), told=some),
        Figure(name=FigureName.FILES, value=len(sizes), told=some),
        _languages(sizes),
        Figure(name=FigureName.TEST_FILES, value=sum(map(is_test, sizes))),
        _tested(sizes),
        _papers(sizes),
    ]


def count_tests(texts: Mapping[str, str], *, of: int) -> Figure:
    """Definitions of tests in these files; of so many files in all."""
    found = sum(
        len(form.findall(text)) for path, text in texts.items() if (form := _DEFINED.get(language_of(path) or ""))
    )
    told = f"in {len(texts)} of {of} files of tests" if len(texts) < of else ""
    advice = "Begin with a test of what breaks most often." if not found and not of else ""
    return Figure(name=FigureName.TESTS, value=found, told=told, advice=advice)


def _languages(sizes: Mapping[str, int]) -> Figure:
    by_language = Counter[str]()
    for path, size in sizes.items():
        if (language := language_of(path)) is not None:
            by_language[language] += size
    total = by_language.total() or 1
    shares = [f"{name} {size / total:.0%}" for name, size in by_language.most_common(_MOST_LANGUAGES)]
    return Figure(name=FigureName.LANGUAGES, value=len(by_language), told=", ".join(shares))


def _tested_by_name(path: str) -> str | None:
    stem = path.rpartition("/")[2].rpartition(".")[0]
    found = _TEST_NAME.fullmatch(stem)
    return (found["a"] or found["b"]).lower() if found else None


def _tested(sizes: Mapping[str, int]) -> Figure:
    tested = {name for path in sizes if is_test(path) and (name := _tested_by_name(path))}
    code = [path for path in sizes if _is_code(path)]
    if not code:
        return Figure(name=FigureName.TESTED, told="there is no code that tests are usual for")
    without = sorted(path for path in code if _stem(path) not in tested)
    return Figure(
        name=FigureName.TESTED,
        value=round(100 * (1 - len(without) / len(code)), 1),
        told=f"{len(code) - len(without)} of {len(code)} files of code have a file of tests of their name",
        advice=f"Without one: {_some(without)}." if without else "",
    )


def _is_code(path: str) -> bool:
    language = language_of(path)
    return language not in {None, *_NO_TESTS_OF_THEIR_OWN} and not is_test(path) and _stem(path) != "__init__"


def _stem(path: str) -> str:
    return path.rpartition("/")[2].rpartition(".")[0].lower()


def _papers(sizes: Mapping[str, int]) -> Figure:
    missing = [what for what, form in _PAPERS.items() if not any(_lies(path, form) for path in sizes)]
    return Figure(
        name=FigureName.MISSING_PAPERS,
        value=len(missing),
        told=f"missing: {', '.join(missing)}" if missing else "",
        advice=f"Add {' and '.join(missing)}." if missing else "",
    )


def _lies(path: str, form: "re.Pattern[str]") -> bool:
    """Whether it lies where GitHub looks for it."""
    folder, slash, name = path.rpartition("/")
    return folder + slash in _PLACES and form.fullmatch(name) is not None


def _some(paths: Iterable[str], most: int = 3) -> str:
    shown = [visible(path)[:100] for path in paths]
    more = f" and {len(shown) - most} more" if len(shown) > most else ""
    return ", ".join(shown[:most]) + more
