"""The memory of an embedding stays within its limit, however many images, layers or components there are."""

import subprocess
import sys

import pytest

WHAT = {
    "more images": (400, 8, "flatten", "100MB"),
    "more layers": (200, 24, "flatten", "100MB"),
    "pooled": (2000, 8, "mean", "100MB"),
    "projected": (300, 24, "srp:300", "100MB"),
    "components": (100, 6, "pca:10", "120MB"),
    "more components": (100, 3, "pca:40", "300MB"),
}


@pytest.mark.slow
@pytest.mark.parametrize("what", WHAT)
def test_measured_memory_stays_under_the_limit(what, tmp_path, monkeypatch):
    """In a process of its own: the peak of the resident set beyond what was there after a small embedding."""
    monkeypatch.setenv("BRAINALIGN_CACHE", str(tmp_path / "cache"))
    given = [str(v) for v in WHAT[what]]
    done = subprocess.run([sys.executable, "-c", MEASURE, str(tmp_path), *given], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    grown, whole = (int(v) / 1e6 for v in done.stdout.split())
    print(f"\n{what} {WHAT[what]}: {grown:.0f} MB, of layers of {whole:.0f} MB")
    assert grown < int(given[-1][:-2])


MEASURE = """
import sys
from pathlib import Path
import numpy as np, pandas as pd, torch
from PIL import Image
from torch import nn
from brainalign.models import Preprocessing, embed
from brainalign.store import open_store

torch.set_num_threads(1)
folder, n, depth, pooling, limit = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4], sys.argv[5]
store, images = open_store(folder / "store"), folder / "images"
images.mkdir()
rng = np.random.default_rng(0)
for i in range(20):
    Image.fromarray(rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)).save(images / f"{i}.png")

class Layers(nn.Module):
    def __init__(self, depth):
        super().__init__()
        self.stem = nn.Conv2d(3, 32, 1)
        self.blocks = nn.ModuleList(nn.Conv2d(32, 32, 1) for _ in range(depth))

    def forward(self, x):
        x = self.stem(x)
        for block in self.blocks:
            x = block(x)
        return x.mean((2, 3))

for name, count in (("few", 8), ("few-train", 20), ("train", 300), ("set", n)):
    rows = [(f"{name}-{i}", f"{i % 20}.png") for i in range(count)]
    store.put_stimuli(name, pd.DataFrame(rows, columns=["stimulus", "file"]), source=str(images), kind="folder")

def embedded(depth, stimuli, pooling, limit, train):
    fitted = {"fit_on": train} if pooling.startswith("pca") else {}
    return embed(Layers(depth), stimuli, store, name=stimuli, preprocessing=Preprocessing(size=32),
                 layers="blocks.*", pooling=pooling, max_memory=limit, **fitted)

embedded(1, "few", "pca:4" if pooling.startswith("pca") else pooling, "1GB", "few-train")
def resident(what):  # of getrusage the peak may be that of the process which started this one
    line = next(one for one in Path("/proc/self/status").read_text().splitlines() if one.startswith(what))
    return int(line.split()[1]) * 1024

before = resident("VmRSS")
key = embedded(depth, "set", pooling, limit, "train")
peak = resident("VmHWM")
kept = store.embeddings(key, stimuli="set")
assert len(kept.data_vars) == depth
print(peak - before, n * depth * 32 * 32 * 32 * 4)
"""
