"""`python -m observability.dashboards`: write the files that Grafana reads."""

from pathlib import Path
from typing import Final

from observability.dashboards.operations import APPROVALS, GOALS, LEASES, OVERVIEW
from observability.dashboards.render import rendered
from observability.dashboards.systems import AUDIT, MODELS, PROVIDERS, SANDBOX, VAULT, WORKERS

FOLDER: Final = Path(__file__).parents[1] / "grafana/dashboards"
BOARDS: Final = (OVERVIEW, GOALS, APPROVALS, SANDBOX, PROVIDERS, MODELS, LEASES, VAULT, WORKERS, AUDIT)


def write(folder: Path = FOLDER) -> None:
    """Write each board to its file, and remove what is none of them."""
    for left in {path.stem for path in folder.glob("*.json")} - {board.name for board in BOARDS}:
        (folder / f"{left}.json").unlink()
    for board in BOARDS:
        (folder / f"{board.name}.json").write_text(rendered(board), encoding="utf-8")


if __name__ == "__main__":
    write()
