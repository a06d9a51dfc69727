"""Sessions as one matrix: in which order they are read, and what comes of it."""

import threading

import numpy as np
import pytest

from brainalign.datasets.nsd import stack
from brainalign.datasets.nsd.stack import SessionStack
from brainalign.errors import DatasetError


class Session:
    """Betas of one session that note who reads them."""

    scale = 300.0

    def __init__(self, number, reads, *, damaged=False):
        self.number, self.reads, self.damaged = number, reads, damaged

    def read(self, places):
        self.reads.append((self.number, threading.current_thread().name.startswith("brainalign-session")))
        if self.damaged:
            raise DatasetError(f"session {self.number} is cut off")
        return np.random.default_rng(self.number).integers(-900, 900, (6, 40)).astype(np.int16)[:, places]


def make(reads, *, damaged=()):
    files = {number: Session(number, reads, damaged=number in damaged) for number in (1, 2, 3)}
    places = np.array([3, 5, 21])
    return SessionStack(files, places, [(number, np.arange(6)) for number in files], zscore=True)


def by_definition():
    stored = [np.random.default_rng(n).integers(-900, 900, (6, 40))[:, [3, 5, 21]] for n in (1, 2, 3)]
    return np.concatenate([(v - v.mean(axis=0)) / v.std(axis=0) for v in stored])


@pytest.mark.parametrize("step", [1, 4, 6, 18])
def test_rows_in_order_read_every_session_once_and_the_next_ahead(step):
    reads = []
    variable = make(reads).variable()
    found = np.concatenate([variable[start : start + step].values for start in range(0, 18, step)])
    np.testing.assert_allclose(found, by_definition(), rtol=1e-6)
    assert reads == [(1, False), (2, True), (3, True)]


def test_large_sessions_are_not_read_ahead(monkeypatch):
    monkeypatch.setattr(stack, "_MOST_AHEAD", 10)
    reads = []
    np.testing.assert_allclose(make(reads).variable().values, by_definition(), rtol=1e-6)
    assert reads == [(1, False), (2, False), (3, False)]


def test_rows_in_any_order_are_right():
    rows = np.array([17, 0, 8, 3, 16, 9])
    np.testing.assert_allclose(make([]).variable()[rows].values, by_definition()[rows], rtol=1e-6)
    reads = []
    variable = make(reads).variable()
    for row in (17, 0, 8):
        np.testing.assert_allclose(variable[row].values, by_definition()[row], rtol=1e-6)
    assert [number for number, _ in reads][:2] == [3, 1]


def test_a_session_that_cannot_be_read_ahead_is_named_where_it_is_needed():
    variable = make([], damaged=[2]).variable()
    np.testing.assert_allclose(variable[:6].values, by_definition()[:6], rtol=1e-6)
    with pytest.raises(DatasetError, match="session 2 is cut off"):
        _ = variable[6:12].values
