"""Which changes make another result."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from brainalign.results import Result, identity_sha256
from brainalign.results.identity import differences

Make = Callable[..., Result]


@pytest.mark.parametrize(
    "changes",
    [
        {"rows": []},
        {"provenance": {}},
        {"passed": {"benchmark": "v4.yaml"}},
        {"embedding__attributes": {"family": "x"}},
        {"benchmark__aggregation": {"rois": "mean"}},
    ],
)
def test_what_changes_no_number_is_no_difference(result: Make, changes: dict[str, Any]) -> None:
    assert differences(result(), result(**changes)) == []
    assert identity_sha256(result()) == identity_sha256(result(**changes))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"protocol__seed": 1}, "protocol.seed: stored 0, given 1"),
        ({"protocol__alphas": [1]}, "protocol.alphas: stored nothing, given [1]"),
        ({"embedding__entry_sha256": "f" * 64}, f'embedding.entry_sha256: stored "{"e" * 64}", given "{"f" * 64}"'),
        ({"benchmark__groups": "source"}, 'benchmark.groups: stored null, given "source"'),
        ({"metric__params": {"k": 10}}, "metric.params: stored {}, given nothing"),
    ],
)
def test_each_difference_is_named(result: Make, changes: dict[str, Any], said: str) -> None:
    assert said in differences(result(), result(**changes))
    assert identity_sha256(result()) != identity_sha256(result(**changes))


def test_the_order_of_subjects_is_no_difference(result: Make) -> None:
    data = [{"subject": s, "variant": "v", "entry_sha256": s * 64} for s in "ab"]
    assert differences(result(benchmark__data=data), result(benchmark__data=data[::-1])) == []
