"""Parts of results are kept while other runs clear up after themselves."""

from types import SimpleNamespace

import pandas as pd
import pytest

from brainalign.errors import ResultError
from brainalign.evaluate import parts
from brainalign.evaluate.units import Part
from brainalign.results.write import replace_file

PART = Part([{"layer": "a", "value": 0.5}], pd.DataFrame({"left_out": [0.25, 0.5]}), None, 1.5, {"numpy": "2"}, ())


def unit_of(code):
    """Return what names of parts are made of."""
    return SimpleNamespace(
        embedding=SimpleNamespace(name="net@1"), benchmark=SimpleNamespace(id="toy"), key=lambda metrics: code
    )


def test_a_part_comes_back_and_is_forgotten_with_its_result(tmp_path):
    name, of_other_code = (parts.part_name(unit_of(code), "cka.linear.debiased") for code in ("a", "b"))
    for stem in (name, of_other_code, parts.part_name(unit_of("a"), "mutual-knn.k10")):
        parts.keep_part(tmp_path, stem, PART)
    found = parts.kept_part(tmp_path, name)
    assert found is not None and found.rows == PART.rows and found.seconds == 1.5
    pd.testing.assert_frame_equal(found.blocks, PART.blocks)
    parts.forget_parts(tmp_path, "net@1", "toy", "cka.linear.debiased")
    assert parts.kept_part(tmp_path, name) is None and parts.kept_part(tmp_path, of_other_code) is None
    assert len(list((tmp_path / parts.FOLDER).iterdir())) == 2
    parts.forget_parts(tmp_path, "net@1", "toy", "mutual-knn.k10")
    assert not (tmp_path / parts.FOLDER).exists()


def test_another_run_may_remove_the_empty_folder_at_any_moment(tmp_path, monkeypatch):
    removals = []

    def after_a_removal(path, data):
        if len(removals) < 3:
            removals.append(path)
            path.parent.rmdir()  # what the other run does when its own parts are gone
        replace_file(path, data)

    monkeypatch.setattr(parts, "replace_file", after_a_removal)
    parts.keep_part(tmp_path, "key", PART)
    assert len(removals) == 3
    assert parts.kept_part(tmp_path, "key") is not None


def test_what_cannot_be_written_is_an_error(tmp_path, monkeypatch):
    def never(path, data):
        raise FileNotFoundError(path)

    monkeypatch.setattr(parts, "replace_file", never)
    with pytest.raises(ResultError, match="writing a part of a result"):
        parts.keep_part(tmp_path, "key", PART)
