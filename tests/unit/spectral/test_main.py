"""The study runs where the libraries of the store are not installed, from its own command."""

import json
import subprocess
import sys

import pytest

from brainalign.spectral.study.__main__ import main

ABSENT = ("zarr", "xarray", "pandas", "pydantic", "typer", "nilearn", "timm", "open_clip", "matplotlib")


def test_it_imports_none_of_them():
    program = "import json, sys, brainalign.spectral.study.__main__\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = {name.split(".")[0] for name in json.loads(done.stdout)}
    assert "torch" in loaded and loaded & set(ABSENT) == set()


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_a_whole_study_with_its_analysis(tiny_text_network, tmp_path, capsys):
    data = tmp_path / "data"
    for folder, name, line in (
        ("sst2", "{}.tsv", "w{0} w{1}\t{2}"),
        ("mrpc", "msr-para-{}.tsv", "{2}\tx\ty\tw{0}\tw{1}"),
    ):
        (data / folder).mkdir(parents=True)
        for part in ("train", "dev" if folder == "sst2" else "val", "test"):
            lines = [line.format(i % 9, (3 * i) % 7, i % 2) for i in range(30)]
            header = ["Quality\t#1 ID\t#2 ID\t#1 String\t#2 String"] if folder == "mrpc" else []
            (data / folder / name.format(part)).write_text("\n".join([*header, *lines]) + "\n", encoding="utf-8")
    out = tmp_path / "out"
    arguments = ["--network", str(tiny_text_network), "--data", str(data), "--out", str(out), "--tasks", "sst2", "mrpc"]
    arguments += ["--methods", "full", "core", "--seeds", "1", "--train", "20", "--epochs", "1", "--no-grid"]
    main([*arguments, "--analysis"])
    said = capsys.readouterr().out
    assert "leading directions are stable" in said and "updates move in shared directions" in said
    there = {path.name for path in out.iterdir()}
    assert {"table.csv", "differences.csv", "stability.csv", "sharing.csv", "verdicts.json"} <= there
    assert {"embeddings.sst2.npz", "embeddings.mrpc.npz"} <= there
    verdicts = json.loads((out / "verdicts.json").read_text())
    assert set(verdicts) == {"sst2", "mrpc", "sharing"}
    main(["--network", str(tiny_text_network), "--copy-half", str(tmp_path / "half")])
    assert (tmp_path / "half" / "tokenizer.json").is_file()
    with pytest.raises(SystemExit):
        main(["--network", str(tiny_text_network)])
