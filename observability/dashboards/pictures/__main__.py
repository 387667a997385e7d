"""`python -m observability.dashboards.pictures`: draw every dashboard from what servers answer now.

Of an environment that was started by `banksman up --observability`, whose addresses `banksman status` tells.
"""

import argparse
from pathlib import Path

from observability.dashboards.__main__ import BOARDS
from observability.dashboards.pictures.answers import Answers
from observability.dashboards.pictures.drawing import draw


def draw_all(asked: Answers, folder: Path) -> None:
    """Draw each board into its file."""
    folder.mkdir(parents=True, exist_ok=True)
    for board in BOARDS:
        (folder / f"{board.name}.svg").write_text(draw(board, asked), encoding="utf-8")


def main() -> None:
    """Draw all of them into a folder."""
    options = argparse.ArgumentParser(prog="python -m observability.dashboards.pictures", description=__doc__)
    options.add_argument("--prometheus", required=True, metavar="URL")
    options.add_argument("--log-store", required=True, metavar="URL")
    options.add_argument("--into", required=True, type=Path, metavar="FOLDER")
    given = options.parse_args()
    draw_all(Answers(given.prometheus, given.log_store), given.into)


if __name__ == "__main__":
    main()
