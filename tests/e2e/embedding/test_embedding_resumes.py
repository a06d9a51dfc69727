"""The same embedding twice, and one that was interrupted."""

import subprocess
import sys

import numpy as np
import pytest

from brainalign.models import embed, load_network, streaming
from brainalign.models.stimuli_reader import decode_image
from brainalign.store import open_store
from brainalign.testing.small_network import N_IMAGES, embed_small, image_table, images_of


def test_the_same_embedding_twice_is_equal_to_the_bit(store, tmp_path):
    other = open_store(tmp_path / "other")
    other.put_stimuli("set", image_table(images_of(store)), source=str(images_of(store)), kind="folder")
    first, second = (
        store.embeddings(embed_small(store), stimuli="set"),
        other.embeddings(embed_small(other), stimuli="set"),
    )
    assert first.attrs["entry_sha256"] == second.attrs["entry_sha256"]


class Interrupted(Exception):
    """Stands for Ctrl-C or a killed process."""


@pytest.mark.parametrize("after", [0, 1, 2, 4])
def test_interrupted_and_resumed_equals_uninterrupted(store, tmp_path, monkeypatch, after):
    other = open_store(tmp_path / "other")
    other.put_stimuli("set", image_table(images_of(store)), source=str(images_of(store)), kind="folder")
    whole = other.embeddings(embed_small(other), stimuli="set")
    monkeypatch.setattr(streaming, "_CHUNK_ROWS", 8)
    rows, done = streaming.Forward.rows, []

    def stops(self, images, batching, ids):
        if len(done) == after:
            raise Interrupted
        done.append(ids)
        return rows(self, images, batching, ids)

    monkeypatch.setattr(streaming.Forward, "rows", stops)
    with pytest.raises(Interrupted):
        embed_small(store)
    assert store.models() == []  # nothing that a reader sees
    resumed = []
    monkeypatch.setattr(
        streaming.Forward, "rows", lambda self, im, b, ids: (resumed.extend(ids), rows(self, im, b, ids))[1]
    )
    there = store.embeddings(embed_small(store), stimuli="set")
    assert len(resumed) == N_IMAGES - after // 2 * 8  # whole chunks are kept
    for name in whole.data_vars:
        np.testing.assert_array_equal(there[name].values, whole[name].values)
    assert there.attrs["entry_sha256"] == whole.attrs["entry_sha256"]


@pytest.mark.faults
def test_a_killed_process_leaves_nothing_that_a_reader_sees(store, tmp_path):
    code = f"""
import os
from brainalign.models import embed, streaming
from brainalign.store import open_store
streaming._CHUNK_ROWS = 8
rows, seen = streaming.Forward.rows, []
def dies(self, images, batching, ids):
    seen.append(ids)
    if len(seen) == 4:
        os._exit(9)
    return rows(self, images, batching, ids)
streaming.Forward.rows = dies
embed("pixels", "set", open_store({str(tmp_path / "store")!r}), batch_size=4)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 9
    assert store.models() == []
    key = embed("pixels", "set", store, batch_size=4)
    pixels = store.embeddings(key, stimuli="set")["pixels|mean"].values
    image = load_network("pixels").preprocess(decode_image((images_of(store) / "20.png").read_bytes(), name="20"))
    np.testing.assert_array_equal(pixels[20], image.flatten().numpy())
