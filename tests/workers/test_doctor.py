"""`banksman doctor`: a row for each thing, how it was had, and how to get what is missing."""

import json

import pytest
from typer.testing import CliRunner

from deploy.local.tools import Tool
from workers.cli import app

RUN = CliRunner()
OF_PULUMI = ("pulumi", "pulumi python host", "pulumi provider", "postgresql")


def test_it_tells_of_every_tool_how_it_was_had_or_how_to_get_it() -> None:
    rows = {row["name"]: row for row in json.loads(RUN.invoke(app, ["doctor", "--json"]).stdout)}
    assert rows.keys() == {*(tool.value for tool in Tool), *OF_PULUMI}
    for row in rows.values():
        assert row["found"] == (row["how"] is not None) == (row["version"] is not None) == (row["path"] is not None)
        assert row["needed_for"]
        assert row["how_to_get"]
    assert [name for name in OF_PULUMI if rows[name]["required"]] == []


def test_the_table_says_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    rows = json.loads(RUN.invoke(app, ["doctor", "--json"]).stdout)
    shown = RUN.invoke(app, ["doctor"], env={"COLUMNS": "400"}).stdout
    for row in rows:
        line = next(line for line in shown.splitlines() if f" {row['name']} " in line)
        assert (f"({row['how']})" if row["found"] else row["how_to_get"]) in line
