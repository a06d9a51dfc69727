"""docs/datasets.md has one row for every dataset, and it says what the code does."""

from __future__ import annotations

from pathlib import Path

import pytest

from brainalign.datasets import DATASETS, DOWNLOADS
from brainalign.manifests import load_manifest
from brainalign.testing.miniatures import MINIATURES

COLUMNS = ["dataset", "what is read", "download", "regions", "splits", "ceiling", "tested on"]
REAL = {"macaque-v4", "objects92"}  # read from real files where these lie beside a checkout


@pytest.fixture(scope="module")
def rows(repository: Path) -> dict[str, dict[str, str]]:
    """Cells by dataset; a row may name several."""
    lines = (repository / "docs" / "datasets.md").read_text(encoding="utf-8").splitlines()
    table = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| ")]
    assert table[0] == COLUMNS
    found: dict[str, dict[str, str]] = {}
    for cells in table[1:]:
        assert len(cells) == len(COLUMNS), cells
        for name in cells[0].split("`")[1::2]:
            assert name not in found, f"{name} has two rows"
            found[name] = dict(zip(COLUMNS, cells, strict=True))
    return found


def test_every_dataset_has_a_row(rows: dict[str, dict[str, str]]) -> None:
    assert set(rows) == set(DATASETS)


@pytest.mark.parametrize("dataset", DATASETS)
def test_the_row_says_what_the_code_does(rows: dict[str, dict[str, str]], dataset: str) -> None:
    row, manifest = rows[dataset], load_manifest(dataset)
    assert row["what is read"]
    assert ("`data get`" in row["download"]) == (dataset in DOWNLOADS)
    if dataset in DOWNLOADS and manifest.download is not None:
        assert ("terms" in row["download"]) == manifest.download.accept_terms
    for split in manifest.published_splits:
        assert split.name in row["splits"] or all(part in row["splits"] for part in split.sizes or [split.name])
    for family in manifest.label_tables if dataset == "algonauts2023" else ():
        assert family in row["regions"] or family.split("-")[0] + "-*" in row["regions"]
    kinds = {note.kind for note in manifest.ceilings}
    assert bool(row["ceiling"]) == bool(manifest.ceilings)
    if kinds == {None}:
        assert "none" in row["ceiling"] or "only" in row["ceiling"]
    if any(note.file for note in manifest.ceilings) and not dataset.startswith("nsd"):
        assert "shipped" in row["ceiling"]
    tested = "real" if dataset in REAL else "miniature" if dataset in MINIATURES else "made here"
    assert row["tested on"].startswith(tested)
