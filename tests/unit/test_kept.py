"""Objects are kept up to a number of bytes, and what they share is counted once."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse
import torch

from brainalign.kept import Kept, bytes_of


@dataclass(frozen=True)
class Whole:
    values: Any
    parts: list[Any]
    name: str = "whole"


def test_storages_are_counted_once_wherever_they_are_seen():
    values, tensor = np.zeros((10, 10)), torch.zeros(10)
    assert bytes_of(Whole(values, [values[:5], (values.T, {"a": values})])) == 800
    assert bytes_of([Whole(tensor, [tensor[2:]]), tensor.numpy()]) == 40
    assert bytes_of({1: np.zeros(3), 2: np.zeros(3)}) == 48
    assert bytes_of([None, 1, 2.5, "text", np.float64(3)]) == 0
    assert bytes_of(scipy.sparse.csr_matrix(np.eye(4))) == 4 * 8 + 4 * 4 + 5 * 4


def test_what_was_used_last_stays():
    kept = Kept[Any](3 * 80)
    first = kept.get("a", lambda: np.zeros(10))
    for name in "bc":
        kept.get(name, lambda: np.zeros(10))
    assert kept.get("a", lambda: np.ones(10)) is first
    kept.get("d", lambda: np.zeros(10))
    assert kept.keys() == ["c", "a", "d"]
    kept.get("views", lambda: first[:5])  # takes no more
    assert kept.keys() == ["c", "a", "d", "views"]
    assert len(kept.get("large", lambda: np.zeros(100))) == 100
    assert kept.keys() == []
    kept.get("a", lambda: first)
    kept.clear()
    assert kept.keys() == []


def test_threads_share_it():
    kept = Kept[Any](10 * 80)

    def work() -> None:
        for i in range(200):
            assert kept.get(i % 20, lambda i=i: np.full(10, i % 20))[0] == i % 20

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(kept.keys()) == 10
