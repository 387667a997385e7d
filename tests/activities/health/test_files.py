"""Figures of files: by paths, sizes and the definitions of tests."""

from activities.health.figures import FIGURES, Figure, FigureName
from activities.health.files import count_tests, is_test, language_of, measure_files

SIZES = {
    "README.md": 100,
    ".github/CODEOWNERS": 20,
    "src/shop/__init__.py": 0,
    "src/shop/cart.py": 600,
    "src/shop/pay.py": 200,
    "src/web/Button.tsx": 200,
    "src/web/Button.test.tsx": 50,
    "tests/test_cart.py": 50,
    "tests/data.json": 10,
    "db/0001.sql": 100,
    "LICENSES/MIT.txt": 5,
    "evil/<b>\n.py": 7,
}


def test_every_figure_is_declared_once_and_files_give_theirs_with_what_to_do() -> None:
    figures = {one.name: one for one in measure_files(SIZES, whole=True)}
    assert set(FIGURES) == set(FigureName)
    assert figures[FigureName.SIZE].value == sum(SIZES.values())
    assert figures[FigureName.LANGUAGES].told.startswith("Python 71%, TypeScript 21%, SQL 8%")
    assert figures[FigureName.TEST_FILES].value == 2
    tested = figures[FigureName.TESTED]
    assert (tested.value, tested.told) == (50.0, "2 of 4 files of code have a file of tests of their name")
    assert tested.advice == "Without one: evil/<b>\\u000a.py, src/shop/pay.py."
    assert figures[FigureName.MISSING_PAPERS] == Figure(
        name=FigureName.MISSING_PAPERS, value=1, told="missing: a licence", advice="Add a licence."
    )


def test_a_repository_of_nothing_has_figures_too() -> None:
    figures = {one.name: one for one in measure_files({}, whole=False)}
    assert (figures[FigureName.SIZE].value, figures[FigureName.TESTED].value) == (0, None)
    assert figures[FigureName.FILES].told == "GitHub lists no more of its files"
    assert count_tests({}, of=0).advice == "Begin with a test of what breaks most often."


def test_files_of_tests_are_known_by_name_or_folder_and_their_tests_are_counted() -> None:
    there = [one for one in (*SIZES, "a/cart_test.go", "latest.py", "tests/README.md", "Makefile") if is_test(one)]
    assert there == ["src/web/Button.test.tsx", "tests/test_cart.py", "a/cart_test.go"]
    assert (language_of("a.b/Makefile"), language_of("x.PY")) == (None, "Python")
    texts = {
        "tests/test_cart.py": "def test_a():\n    pass\n\n    async def test_b(self): ...\ndef other(): ...\n",
        "a/cart_test.go": "func TestA(t *testing.T) {}\nfunc helper() {}\n",
        "x.test.ts": "it('does', () => {}); test.each([1])('x', f); submit(1)\n",
    }
    counted = count_tests(texts, of=5)
    assert (counted.value, counted.told, counted.advice) == (5, "in 3 of 5 files of tests", "")
