"""What the schema of a result accepts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from brainalign.results import Result, Row

Make = Callable[..., dict[str, Any]]


def test_a_result_survives_json(document: Make) -> None:
    first = Result.model_validate(document())
    again = Result.model_validate_json(first.model_dump_json(by_alias=True))
    assert again == first
    assert first.model_dump(by_alias=True)["schema"] == "brainalign.result/1"
    assert dict(first.rows[0])["value"] == 0.25


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"schema": "brainalign.result/2"}, "schema"),
        ({"embedding__revision": ""}, "revision"),
        ({"benchmark__data": []}, "data"),
        ({"metric__version": 0}, "version"),
        ({"surprise": 1}, "surprise"),
        ({"benchmark__id": ""}, "id"),
    ],
)
def test_documents_that_the_schema_refuses(document: Make, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        Result.model_validate(document(**changes))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"value": None}, "null without a reason"),
        ({"value": float("nan")}, "finite"),
        ({"z": float("inf")}, "finite"),
        ({"p": 1.2}, "less than or equal to 1"),
        ({"se": -1.0}, "greater than or equal to 0"),
        ({"low": 0.5, "high": 0.4}, "interval from 0.5 to 0.4"),
        ({"normalised": 0.5}, "without a ceiling"),
        ({"n_stimuli": -1}, "n_stimuli"),
    ],
)
def test_rows_that_the_schema_refuses(changes: dict[str, Any], words: str) -> None:
    row = {"subject": "s", "roi": "r", "layer": "l", "value": 0.2, "n_stimuli": 10}
    assert Row.model_validate(row).key == ("s", "r", "l")
    with pytest.raises(ValidationError, match=words):
        Row.model_validate({**row, **changes})


def test_a_cell_stands_once(document: Make) -> None:
    rows = document()["rows"]
    with pytest.raises(ValidationError, match="two rows for subject, roi, layer"):
        Result.model_validate(document(rows=[rows[0], rows[0]]))


def test_files_are_named_after_writing_only(document: Make) -> None:
    with pytest.raises(ValueError, match="has not been written"):
        Result.model_validate(document()).blocks_name()
