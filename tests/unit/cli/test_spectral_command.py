"""``brainalign spectral`` from files to verdicts."""

import json

import pytest
import torch
from safetensors.torch import save_file
from typer.testing import CliRunner

from brainalign.cli.app import build_app


@pytest.fixture
def files(tmp_path):
    generator = torch.Generator().manual_seed(0)
    before = {f"layer.{i}.fc1.weight": torch.randn(24, 24, generator=generator) for i in range(5)}
    paths = []
    for name, size in (("before", 0.0), ("a", 0.01), ("b", 0.02)):
        moved = {n: w + size * torch.randn(w.shape, generator=generator) for n, w in before.items()}
        save_file(moved, tmp_path / f"{name}.safetensors")
        paths.append(str(tmp_path / f"{name}.safetensors"))
    return paths


def run(*arguments):
    return CliRunner().invoke(build_app(), ["spectral", *arguments], prog_name="brainalign")


def test_compare_prints_both_verdicts_and_keeps_the_rows(files, tmp_path):
    rows = tmp_path / "rows.csv"
    result = run("compare", *files, "--rank", "2", "--rank", "4", "--judged-rank", "4", "--out", str(rows))
    assert result.exit_code == 0, result.output
    for said in ("leading directions are stable", "updates lean toward", "updates move in shared", "gaussian"):
        assert said in result.stdout
    assert rows.read_text().splitlines()[0].startswith("matrix,kind,depth")
    document = json.loads(run("compare", files[0], files[1], "--rank", "2", "--json").stdout)
    assert document[files[1]]["stable"]["word"] in ("supported", "undecided", "contradicted")
    assert document[files[1]]["worst_error"] < 1e-5


def test_errors_are_short(files, tmp_path):
    result = run("compare", files[0], str(tmp_path / "absent"))
    assert result.exit_code == 1 and "ModelError: after: there is no file" in result.stderr
    result = run("table", str(tmp_path))
    assert result.exit_code == 1 and "holds no cells" in result.stderr
