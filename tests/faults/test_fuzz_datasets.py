"""Ingestion meets trees with one damaged file: a typed error or an entry, no hang, no flood, nothing broken."""

from __future__ import annotations

import os
import random
import shutil
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from brainalign.datasets import check_tree, ingest
from brainalign.errors import BrainalignError
from brainalign.store import open_store
from brainalign.testing.mini_nsd import make_mini_nsd
from brainalign.testing.miniatures import MINIATURES, Miniature
from tests.faults.damaging import limited, mutated

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="address space is limited with setrlimit"),
    pytest.mark.filterwarnings("ignore"),  # of the libraries, about the damage
]
SECONDS = float(os.environ.get("BRAINALIGN_FUZZ_SECONDS", "600"))


def _nsd(spaces: list[str], formats: list[str], **options: Any) -> Miniature:
    return Miniature(
        lambda root: make_mini_nsd(root, subjects=["subj04"], spaces=spaces, formats=formats),
        {"check_ncsnr": False, **options},
    )


TREES = {name: (name, miniature) for name, miniature in MINIATURES.items()} | {
    "nsd as NIfTI": ("nsd", _nsd(["func1pt8mm"], ["nii.gz"])),
    "nsd on surfaces": ("nsd", _nsd(["fsaverage"], [], space="fsaverage")),
}
"""Name of the dataset, and its miniature."""


@dataclass
class Tree:
    """A miniature of which one file after the other is damaged and made sound again."""

    name: str
    folder: Path
    counts: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.dataset, self.miniature = TREES[self.name]
        self.root = self.folder / "tree"
        self.miniature.make(self.root)
        self.kinds: dict[str, list[Path]] = {}
        for path in sorted(self.root.rglob("*")):
            if path.is_file():
                self.kinds.setdefault("".join(path.suffixes[-2:]) or path.name, []).append(path)

    def ingested(self, store: Path) -> str:
        """Look at the tree, then bring it in: what came of it."""
        with limited():
            check_tree(self.root, dataset=self.dataset)
        try:
            with limited():
                ingest(self.dataset, self.root, open_store(store), **self.miniature.options)
        except BrainalignError as error:
            assert str(error)
            return "refused"
        return "ingested"

    def meets(self, draw: random.Random) -> None:
        """Damage a file, of every kind as often, and ingest."""
        path = draw.choice(self.kinds[draw.choice(sorted(self.kinds))])
        sound, store = path.read_bytes(), self.folder / "store"
        path.write_bytes(mutated(sound, draw))
        try:
            outcome = self.ingested(store)
            report = open_store(store).check(full=True)
            assert report.ok, str(report)
        except BaseException:
            shutil.copy(path, self.folder / f"damaged{path.suffix}")
            print(f"{self.name}: {path.relative_to(self.root)}")
            raise
        finally:
            path.write_bytes(sound)
            shutil.rmtree(store, ignore_errors=True)
        self.counts[outcome] = self.counts.get(outcome, 0) + 1


@pytest.mark.parametrize("name", TREES)
def test_a_short_run_over_damaged_trees(name: str, tmp_path: Path) -> None:
    tree, draw = Tree(name, tmp_path), random.Random(f"short {name}")
    for _ in range(2):
        tree.meets(draw)


@pytest.mark.fuzz
@pytest.mark.parametrize("name", TREES)
def test_a_long_run_over_damaged_trees(name: str, tmp_path: Path) -> None:
    tree, draw, deadline = Tree(name, tmp_path), random.Random(), time.monotonic() + SECONDS
    assert tree.ingested(tmp_path / "sound") == "ingested"
    while time.monotonic() < deadline:
        tree.meets(draw)
    print(f"{name}: {sum(tree.counts.values())} trees in {SECONDS:.0f} s, {tree.counts}")
