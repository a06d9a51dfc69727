"""Files of properties: where they lie, what they refuse, and that layers are added and never changed."""

import json

import pytest

from brainalign.errors import ResultConflictError, ResultError, ResultFormatError
from brainalign.results import (
    PropertyResult,
    check_results,
    iter_properties,
    iter_results,
    property_path,
    read_property,
    write_property,
)

CLEAN = {"brainalign": "0.1.0", "git": {"commit": "0" * 40, "dirty": False}}
ROW = {"part": "fc", "value": 3.5, "error": 0.1, "n_stimuli": 100, "n_units": 64}
EMBEDDING = {
    "kind": "embeddings", "name": "open_clip:a/b", "part": ["0a1b"], "stimulus_set": "photos", "entry_sha256": "e" * 64
}  # fmt: skip
BRAIN = {"kind": "responses", "name": "nsd", "part": ["func1pt8mm", "subj01"], "stimulus_set": "shared"}


def _result(source=EMBEDDING, rows=(ROW,), **changes) -> PropertyResult:
    document = {"source": source, "property": {"id": "dimension.curve.mle", "version": 1}, "simulated": False}
    return PropertyResult.model_validate(document | {"rows": list(rows), "provenance": CLEAN} | changes)


def test_where_a_file_lies(tmp_path) -> None:
    where = property_path(tmp_path, _result()).relative_to(tmp_path).as_posix()
    assert where == "properties/clean/open_clip%3Aa%2Fb%400a1b/photos/dimension.curve.mle.v1.json"
    brain = BRAIN | {"entry_sha256": "d", "selection": {"repeats": 1, "seed": 0}}
    where = property_path(tmp_path, _result(brain, simulated=True)).relative_to(tmp_path).as_posix()
    assert where == (
        "properties/simulated/nsd/func1pt8mm/subj01/shared%2Crepeats%3D1%2Cseed%3D0/dimension.curve.mle.v1.json"
    )
    dirty = _result(provenance={"git": {"commit": "0", "dirty": True}})
    assert property_path(tmp_path, dirty).relative_to(tmp_path).parts[1] == "dirty"


def test_written_read_and_added_to(tmp_path) -> None:
    first = _result(rows=[ROW | {"scale": 16.0}, ROW | {"scale": 32.0, "value": None, "error": None, "reason": "few"}])
    path = write_property(tmp_path, first)
    assert read_property(path) == first
    content = path.read_bytes()
    assert write_property(tmp_path, first) == path and path.read_bytes() == content
    other = ROW | {"part": "conv", "scale": 16.0}
    write_property(tmp_path, _result(rows=[other]))
    assert [(row.part, row.scale) for row in read_property(path).rows] == [("fc", 16.0), ("fc", 32.0), ("conv", 16.0)]
    assert [p for p, _ in iter_properties(tmp_path)] == [path]
    assert list(iter_results(tmp_path)) == [] and check_results(tmp_path) == []


def test_other_data_or_parameters_are_refused(tmp_path) -> None:
    write_property(tmp_path, _result())
    with pytest.raises(ResultConflictError, match="other data"):
        write_property(tmp_path, _result(EMBEDDING | {"entry_sha256": "f" * 64}))
    with pytest.raises(ResultConflictError, match="other parameters"):
        write_property(tmp_path, _result(property={"id": "dimension.curve.mle", "version": 1, "params": {"k": 3}}))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"rows": [ROW | {"value": None}]}, "null without a reason"),
        ({"rows": [ROW, ROW]}, "two rows"),
        ({"rows": []}, "at least 1 item"),
        ({"source": EMBEDDING | {"part": []}}, "named by revision"),
        ({"source": BRAIN | {"part": ["v"], "entry_sha256": "d"}}, "named by variant, subject"),
    ],
)
def test_what_the_schema_refuses(change, words) -> None:
    with pytest.raises(ValueError, match=words):
        _result(**change) if "source" not in change else _result(change["source"])


def test_the_check_finds_what_is_wrong(tmp_path) -> None:
    path = write_property(tmp_path, _result())
    moved = path.parent.parent / "others" / path.name
    moved.parent.mkdir()
    moved.write_bytes(path.read_bytes())
    path.write_text(json.dumps({"schema": "brainalign.property/9"}))
    (path.parent / ".x.tmp").write_text("")
    said = "\n".join(map(str, check_results(tmp_path)))
    assert "its content belongs at" in said and "brainalign.property/9" in said and "interrupted write" in said
    with pytest.raises(ResultFormatError):
        read_property(path)
    with pytest.raises(ResultError, match="cannot be read"):
        read_property(tmp_path / "absent.json")
