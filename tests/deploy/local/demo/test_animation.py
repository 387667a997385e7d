"""The moving picture in the README: of a real demonstration, and no other than its script makes."""

import xml.etree.ElementTree as ET
from pathlib import Path
from tempfile import gettempdir
from typing import Final

import pytest

from deploy.local.demo.animation import TITLE, Said, recorded, render, shortened
from deploy.local.demo.terminal import Terminal

IMAGES: Final = Path(__file__).parents[4] / "docs" / "images"
SVG: Final = "{http://www.w3.org/2000/svg}"
EVIL: Final = "<script>alert(1)</script> & [bold]\"'"


def test_the_committed_picture_is_what_the_script_makes_of_the_committed_recording() -> None:
    picture = (IMAGES / "demo.svg").read_text(encoding="utf-8")
    assert picture == render(recorded(IMAGES / "demo.jsonl"), title=TITLE)
    assert len(picture.encode()) < 300_000


def test_the_recording_is_of_a_demonstration_that_went_well() -> None:
    said = "\n".join(one.line for one in recorded(IMAGES / "demo.jsonl"))
    for words in ("A feature: ", "pull request #", "tests", "asked and Alice", "completed", "20 of 20 visitors see it"):
        assert words in said.replace("[/]", "").replace("[bold]", "").replace("[bold green]", ""), words
    assert [one for one in (str(Path.home()), gettempdir()) if f"{one}/" in said] == []


def test_a_recording_keeps_each_line_with_its_time(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    terminal = Terminal()
    terminal.record(tmp_path / "kept")
    terminal.say("\n[bold]one[/]")
    terminal.say("two")
    said = recorded(tmp_path / "kept")
    assert [one.line for one in said] == ["", "[bold]one[/]", "two"]
    assert [one.at for one in said] == sorted(one.at for one in said)
    assert capsys.readouterr().out == "\none\ntwo\n"


def test_waits_are_shortened_and_the_order_stays() -> None:
    times = shortened([Said(0, "a"), Said(0.2, "b"), Said(60, "c"), Said(60, "d")])
    assert times == sorted(times)
    assert times[-1] < 3
    assert shortened([]) == []


def test_lines_are_text_of_their_colour_in_a_picture_without_scripts() -> None:
    picture = render([Said(0, "[bold green]✓[/] done"), Said(1, EVIL), Said(2, "x" * 500)], title=EVIL)
    root = ET.fromstring(picture)  # noqa: S314 - our own
    texts = ["".join(one.itertext()) for one in root.iter(f"{SVG}text")]
    assert texts[1] == "✓ done"
    assert texts[2].startswith("<script>alert(1)</script> & ")
    assert texts[3].endswith("…")
    assert next(one.get("class") for one in root.iter(f"{SVG}tspan")) == "b g"
    assert {one.tag for one in root.iter()} <= {
        SVG + name for name in ("svg", "title", "style", "rect", "path", "circle", "text", "tspan")
    }
    assert "<script" not in picture


def test_who_asks_for_less_motion_sees_all_of_it() -> None:
    root = ET.fromstring(render([Said(0, "a")], title="t"))  # noqa: S314 - our own
    style = root.findtext(f"{SVG}style") or ""
    still, _, moves = style.partition("@media (prefers-reduced-motion:no-preference){")
    assert "opacity" not in still
    assert "animation" not in still
    assert ".l0{animation:" in moves
