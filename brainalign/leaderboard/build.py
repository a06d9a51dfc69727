"""One call: a folder of result files in, a leaderboard out."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import NamedTuple

from brainalign.leaderboard.badge import badges, board_badge
from brainalign.leaderboard.collect import collect
from brainalign.leaderboard.curves import collect_properties
from brainalign.leaderboard.export import tidy, to_json
from brainalign.leaderboard.page import render
from brainalign.leaderboard.surfaces import collect_maps
from brainalign.leaderboard.table import make_table

__all__ = ["LeaderboardFiles", "build_leaderboard"]


class LeaderboardFiles(NamedTuple):
    """Where the forms of the leaderboard were written; ``badges`` is a folder with one picture a model."""

    html: Path
    csv: Path
    parquet: Path
    json: Path
    badge: Path
    badges: Path


def build_leaderboard(
    results_root: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    title: str | None = None,
    processes: int = 1,
) -> LeaderboardFiles:
    """Build a leaderboard from result files alone.

    Parameters
    ----------
    results_root : path
        Folder that scores were written to; everything below it is read.
    out : path
        Folder for ``leaderboard.html``, ``.csv``, ``.parquet``, ``.json``, ``badge.svg`` and ``badges/``; made where it
        is missing. Each file is replaced whole.
    title : str, optional
        Heading of the page; default "Alignment with visual cortex".
    processes : int
        At most so many read files at the same time, where there are hundreds. A script that asks for more than one
        keeps its own work under ``if __name__ == "__main__"``, as for all of Python's fresh processes.

    Returns
    -------
    LeaderboardFiles
        Paths of the files.

    Raises
    ------
    ResultError
        No result files below ``results_root``, or a reading process died.
    ResultFormatError
        A result file that the schema refuses, or two equally trusted results of one cell.

    Notes
    -----
    There is one section for each benchmark version and set of data. The aggregate of a model is the mean of the
    benchmark's primary metric over regions and subjects, from the rows whose layer was chosen inside the training
    folds. Rank is 1 + the number of models significantly better by a paired delete-block jackknife, corrected by Holm
    over all pairs of the section, at 5 %. A model that lacks a score which others have gets no rank. The same results
    give the same files.
    Cost: one read of every file, and n_models^2 n_blocks sums for each section.
    """
    tables = [make_table(section) for section in collect(Path(results_root), processes=processes)]
    heading = title or "Alignment with visual cortex"
    frame = tidy(tables)
    parquet = io.BytesIO()
    frame.to_parquet(parquet, index=False)
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    badge = _replace(folder / "badge.svg", board_badge(tables).encode())
    pictures = folder / "badges"
    pictures.mkdir(exist_ok=True)
    for name, picture in badges(tables).items():
        _replace(pictures / name, picture.encode())
    # the page last: who sees it finds the tables beside it
    csv = _replace(folder / "leaderboard.csv", frame.to_csv(index=False, lineterminator="\n").encode())
    table = _replace(folder / "leaderboard.parquet", parquet.getvalue())
    records = _replace(folder / "leaderboard.json", to_json(frame, heading).encode())
    page = render(tables, heading, collect_properties(Path(results_root)), collect_maps(Path(results_root)))
    html = _replace(folder / "leaderboard.html", page.encode())
    return LeaderboardFiles(html, csv, table, records, badge, pictures)


def _replace(path: Path, content: bytes) -> Path:
    """Write a whole file or none."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_bytes(content)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return path
