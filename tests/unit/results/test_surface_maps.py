"""Maps that are kept with the results: where they lie, what they refuse, and that they are never changed."""

import json

import pytest

from brainalign.errors import ResultConflictError, ResultError, ResultFormatError
from brainalign.results import (
    SurfaceMap,
    check_results,
    iter_surface_maps,
    read_surface_map,
    root_of,
    surface_map_path,
    write_result,
    write_surface_map,
)

N = 10_242
CLEAN = {"brainalign": "0.1.0", "git": {"commit": "0" * 40, "dirty": False}}


def _map(sha: str = "a" * 64, **changes) -> SurfaceMap:
    source = {"model": "open_clip:a/b", "revision": "0a1b", "benchmark": "v4.v1", "metric": "encoding.ridge.r.v1"}
    document = {
        "source": source | {"neuroids_sha256": sha}, "space": "fsaverage5", "quantity": "r", "layer": "conv",
        "subjects": ["s1"], "left": [0.25] + [None] * (N - 1), "right": [None] * N, "simulated": False,
        "provenance": CLEAN,
    }  # fmt: skip
    return SurfaceMap.model_validate(document | changes)


def test_a_map_is_kept_once_and_never_changed(tmp_path) -> None:
    path = write_surface_map(tmp_path, _map())
    where = path.relative_to(tmp_path).as_posix()
    assert where == "maps/clean/open_clip%3Aa%2Fb/0a1b/v4.v1/encoding.ridge.r.v1.r.json"
    assert read_surface_map(path) == _map() and [found for found, _ in iter_surface_maps(tmp_path)] == [path]
    written = path.read_bytes()
    assert write_surface_map(tmp_path, _map()) == path and path.read_bytes() == written
    for changes in ({"sha": "b" * 64}, {"layer": "fc"}, {"subjects": ["s1", "s2"]}):
        with pytest.raises(ResultConflictError, match="was made otherwise"):
            write_surface_map(tmp_path, _map(**changes))
    assert surface_map_path(tmp_path, _map(simulated=True)).parts[-5] == "simulated"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"left": [0.25] * 5}, "left: List should have at least 10242"),
        ({"left": [None] * N}, "no vertex has a value"),
        ({"space": "fsaverage"}, "space"),
        ({"schema": "brainalign.map/2"}, "has the schema"),
        ({"colour": "red"}, "colour: Extra inputs"),
    ],
)
def test_what_is_no_map_is_named(tmp_path, changes, words) -> None:
    path = write_surface_map(tmp_path, _map())
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    with pytest.raises(ResultFormatError, match=words):
        read_surface_map(path)
    assert any(words.split(":")[0] in str(problem) for problem in check_results(tmp_path))


def test_a_map_belongs_to_the_neuroids_of_a_result(tmp_path, result, blocks, neuroids) -> None:
    found = result()
    path = write_result(tmp_path, found, blocks, neuroids)
    sha = json.loads(path.read_text())["files"]["neuroids"]["sha256"]
    kept = write_surface_map(tmp_path, _map(sha))
    assert check_results(tmp_path) == []
    kept.rename(kept.with_name("other.json"))
    assert "its content belongs at maps" in str(*check_results(tmp_path))
    kept.with_name("other.json").unlink()
    write_surface_map(tmp_path, _map("b" * 64))
    assert "no result here has the values" in str(*check_results(tmp_path))
    assert root_of(path, found) == tmp_path
    with pytest.raises(ResultError, match="below no root of results"):
        root_of(path.rename(path.with_name("moved.json")), found)
