"""Stimulus sets that grow with the subjects."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from brainalign.datasets.stimulus_sets import extend_stimuli, with_images
from brainalign.errors import DatasetError, VariantError


def table(ids, **columns):
    return pd.DataFrame({"stimulus": ids, **columns})


def test_new_stimuli_are_added_behind_the_old_ones_in_their_order(fresh_store):
    extend_stimuli(fresh_store, "s", table(["c", "a"], kind=["x", "y"]))
    whole = extend_stimuli(fresh_store, "s", table(["b", "a"], kind=["z", "y"]))
    assert whole["stimulus"].tolist() == ["c", "a", "b"]
    back = fresh_store.stimuli("s")
    assert back["stimulus"].tolist() == ["c", "a", "b"]
    assert back["kind"].tolist() == ["x", "y", "z"]
    before = back.attrs["sha256"]
    extend_stimuli(fresh_store, "s", table(["a"], kind=["y"]))
    assert fresh_store.stimuli("s").attrs["sha256"] == before


def test_other_properties_of_a_stimulus_are_refused(fresh_store):
    extend_stimuli(fresh_store, "s", table(["a", "b"], sha256=["00", "11"], width=[3, 4]))
    with pytest.raises(VariantError, match="'b' of the set 's' is there with sha256 '11', now '22' \\(1 of 2"):
        extend_stimuli(fresh_store, "s", table(["a", "b"], sha256=["00", "22"]))
    with pytest.raises(VariantError, match="width"):
        extend_stimuli(fresh_store, "s", table(["a", "c"], width=[5, 6]))


def test_what_one_subject_leaves_open_another_may_fill(fresh_store):
    extend_stimuli(fresh_store, "s", table(["a", "b"]))
    extend_stimuli(fresh_store, "s", table(["a", "c"], sha256=["00", "22"], width=[3, 4]))
    back = fresh_store.stimuli("s").set_index("stimulus")
    assert back["sha256"].to_dict() == {"a": "00", "b": "", "c": "22"}
    assert np.isnan(back.loc["b", "width"])
    extend_stimuli(fresh_store, "s", table(["a", "b", "c"], sha256=["00", "11", "22"], width=[3, 7, 4]))


def test_images_of_one_set_have_one_source(fresh_store):
    extend_stimuli(fresh_store, "s", table(["a"]), source="/here", kind="folder")
    extend_stimuli(fresh_store, "s", table(["a"]), source="/there", kind="folder")
    assert fresh_store.stimuli("s").attrs["source"] == "/here"
    with pytest.raises(VariantError, match="lie in /here; 1 more would come from /there"):
        extend_stimuli(fresh_store, "s", table(["a", "b"]), source="/there", kind="folder")


def test_images_are_found_by_stem_at_any_depth(tmp_path):
    (tmp_path / "deep").mkdir()
    for name in ("deep/a.x.png", "b.jpg", "other.png"):
        Image.fromarray(np.zeros((2, 2, 3), np.uint8)).save(tmp_path / name)
    found, source, kind = with_images(table(["b", "a.x"]), tmp_path)
    assert found["stimulus"].tolist() == ["b", "a.x"]
    assert found["file"].tolist() == ["b.jpg", "deep/a.x.png"]
    assert (source, kind) == (str(tmp_path.resolve()), "folder")
    with pytest.raises(DatasetError, match="no image of 1 of 2 stimuli, first 'c'"):
        with_images(table(["b", "c"]), tmp_path)
