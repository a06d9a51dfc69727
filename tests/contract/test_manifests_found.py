"""Manifests are found from a checkout, from any folder; a folder of one's own comes first."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any


def _listed(where: Path, **environment: str) -> list[dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, "-m", "brainalign", "data", "list", "--json"],
        cwd=where,
        env={k: v for k, v in os.environ.items() if k != "BRAINALIGN_MANIFESTS"} | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    rows: list[dict[str, Any]] = json.loads(done.stdout)
    return rows


def test_every_manifest_of_the_checkout_is_found_from_elsewhere(repository: Path, tmp_path: Path) -> None:
    names = sorted(path.stem for path in (repository / "data_manifests").glob("*.yaml"))
    assert names
    assert [row["dataset"] for row in _listed(tmp_path)] == names


def test_a_folder_of_ones_own_comes_first(repository: Path, tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.mkdir()
    shutil.copy(repository / "data_manifests" / "objects92.yaml", own)
    text = (own / "objects92.yaml").read_text(encoding="utf-8")
    title = next(line for line in text.splitlines() if line.startswith("title:"))
    (own / "objects92.yaml").write_text(text.replace(title, "title: A copy of one's own"), encoding="utf-8")
    titles = {row["dataset"]: row["title"] for row in _listed(tmp_path, BRAINALIGN_MANIFESTS=str(own))}
    assert titles["objects92"] == "A copy of one's own"
    assert len(titles) > 1
