"""The generated pages are those of the code, and the outputs in the pages are what the command says."""

import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.docs import reference
from tests.docs.markdown import ROOT, Block, blocks
from workers.cli import app

SHOWN = [ROOT / "docs/how-to/write-a-policy.md", ROOT / "docs/how-to/describe-a-service.md"]
"""Pages whose files and commands are tried."""
CONSOLES = [(page, block) for page in SHOWN for block in blocks(page) if block.info == "console"]


@pytest.mark.parametrize("path", reference.PAGES)
def test_a_reference_page_is_in_step(path: str) -> None:
    assert reference.difference(path) == "", "run `make docs`"


@pytest.mark.parametrize("path", reference.PAGES)
def test_a_page_that_is_out_of_step_is_noticed(
    path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for page in reference.PAGES:
        copy = tmp_path / page
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes((ROOT / page).read_bytes())
    stale = tmp_path / path
    stale.write_text(f"{stale.read_text(encoding='utf-8')}one line more\n", encoding="utf-8")
    monkeypatch.setattr(reference, "ROOT", tmp_path)
    with pytest.raises(reference.typer.Exit):
        reference.main(check=True)
    assert path in capsys.readouterr().err
    reference.main(check=False)
    assert stale.read_bytes() == (ROOT / path).read_bytes()


def test_no_page_names_a_machine() -> None:
    assert [path for path, page in reference.PAGES.items() if str(ROOT) in page()] == []


@pytest.mark.parametrize(("page", "block"), CONSOLES, ids=[block.text.splitlines()[0] for _, block in CONSOLES])
def test_a_page_shows_what_the_command_says(
    page: Path, block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for file in blocks(page):
        kind, _, name = file.info.partition(" ")
        if kind == "yaml":
            (tmp_path / name).write_text(file.text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    line, _, shown = block.text.partition("\n")
    assert CliRunner().invoke(app, shlex.split(line)[2:]).output.strip() == shown.strip()
