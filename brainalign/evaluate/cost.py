"""What a unit of scoring takes: operations, bytes, requests and memory, counted from sizes alone."""

from __future__ import annotations

import math
from dataclasses import dataclass

from brainalign.evaluate.panels import HELD_LAYERS
from brainalign.evaluate.prepared_targets import KEPT_BYTES
from brainalign.evaluate.similarity_cells import GRAM_BUDGET
from brainalign.evaluate.units import Unit
from brainalign.metrics import get_metric
from brainalign.stats.form_grids import GridForm
from brainalign.stats.forms import CrossedForm

__all__ = ["Cost", "Sizes", "family_of", "operations", "sizes_of", "subject_operations", "unit_cost"]

PROCESS = 450 << 20
"""Bytes of a process that has imported what scoring needs and computed nothing."""

_CHUNK = 1024  # rows and columns of a chunk in the store
_DECOMPOSITION = 12  # n³ operations of a symmetric eigendecomposition with vectors
_HALVES = 4  # means over half of the repeats that measures without a ceiling are extrapolated from
_ALPHAS = 19
# floating-point operations of a matrix product that take as long as …
_SORTED = 200  # a comparison of a sort
_WORD = 60_000  # finding ten neighbours of a stimulus in 64 subsets of the stimuli at once
_MET = 10_000  # meeting ten neighbours of a stimulus in 64 orders of the stimuli at once
_GATHERED = 120  # gathering half a number in another order
_LEFT_OUT = 1500  # what all left-out blocks take of a number of two matrices
_LEFT_OUT_FITS = 8  # permutations of encoding that take as long as leaving all blocks out
_ANALYSED = 2500  # what the variance within and between stimuli takes of a response
_SPLITS = 8  # halvings of the repeats behind the ceiling of a smooth measure


@dataclass(frozen=True)
class Sizes:
    """Sizes that decide the cost of one metric family on one block of subjects that saw the same stimuli."""

    n: int
    widths: tuple[int, ...]
    rois: int
    neuroids: int
    folds: int
    permutations: int
    encoding_permutations: int
    blocks: int
    half_samples: int
    n_metrics: int = 1


@dataclass(frozen=True)
class Cost:
    """Operations (floating-point, as counted in docs/scaling.md), bytes and requests read, peak bytes of a process."""

    operations: float
    bytes_read: int
    requests: int
    memory: int


def family_of(unit: Unit) -> str:
    """``encoding``, or the id of the unit's one metric."""
    first = get_metric(unit.metrics[0])
    return "encoding" if first.family == "encoding" else first.id


def sizes_of(unit: Unit) -> Sizes:
    """Return the sizes of a unit."""
    bench = unit.benchmark
    return Sizes(
        n=max(s.n_stimuli for s in unit.subjects),
        widths=tuple(unit.embedding.layers.values()),
        rois=sum(len(s.rois) for s in unit.subjects),
        neuroids=sum(min(s.n_neuroids, sum(s.rois.values())) for s in unit.subjects),
        folds=bench.folds,
        permutations=bench.n_permutations,
        encoding_permutations=bench.encoding_permutations,
        blocks=bench.blocks,
        half_samples=bench.half_samples,
        n_metrics=len(unit.metrics),
    )


def operations(family: str, s: Sizes) -> float:
    """Count the leading operations of a family on subjects that an embedding before has been scored on.

    Encoding: one decomposition for each layer and fold, then each target is fitted once and once for every
    permutation, and scored with each block left out. Smooth measures: a Gram or distance matrix for each layer, then
    passes over n² numbers; CKA and RSA permute layers and regions, and all pairs of them meet in products. Measures of
    neighbours: lists are looked through for 64 half-samples at once. Other measures that are not smooth: all of it on
    every half-sample.
    """
    if family == "encoding":
        return _encoding(s)
    metric = get_metric(family)
    if metric.fits:
        return _encoding(s) * 2
    square = float(s.n) ** 2
    layers = len(s.widths)
    pairs = float(layers * s.rois)
    prepare = 2 * square * sum(s.widths)
    if metric.form is None or metric.form.smooth:
        passes = pairs * (s.permutations * _GATHERED + _LEFT_OUT)
        if isinstance(metric.form, CrossedForm):
            passes = pairs * (s.permutations + _LEFT_OUT) + _GATHERED * math.sqrt(s.permutations) * (layers + s.rois)
        return prepare + 1.5 * square * passes
    sort = _SORTED * square * math.log2(max(s.n, 2))
    lists = (1 + _HALVES) * s.rois
    if isinstance(metric.form, GridForm):
        words = math.ceil(s.half_samples / 64) + math.ceil(s.blocks / 64)
        looked = float(layers + lists + layers * lists) * _WORD * words
        return prepare + layers * sort + s.n * (looked + pairs * _MET * math.sqrt(s.permutations))
    resampled = (layers + lists) * s.half_samples * sort / 2
    return prepare + layers * sort + resampled + pairs * s.permutations * _GATHERED * square


def subject_operations(family: str, s: Sizes) -> float:
    """Count what a family takes of subjects once, for all embeddings: targets prepared, ceilings."""
    square = float(s.n) ** 2
    metric = None if family == "encoding" else get_metric(family)
    if metric is None or metric.fits:
        return float(_ANALYSED * s.n * s.neuroids)
    if metric.form is None or metric.form.smooth:
        return square * (2 * (2 * _SPLITS + 1) * s.neuroids + 1.5 * s.rois * _SPLITS * _LEFT_OUT)
    sort = _SORTED * square * math.log2(max(s.n, 2))
    return (1 + _HALVES) * (2 * square * s.neuroids + s.rois * sort)


def _encoding(s: Sizes) -> float:
    test = s.n / s.folds
    train = s.n - test
    total = 0.0
    for width in s.widths:
        rank = min(train, width)
        decomposition = 2 * train * width * rank + _DECOMPOSITION * rank**3
        target = 2 * rank * (train + test + _ALPHAS)
        total += s.folds * (decomposition + (s.encoding_permutations + 1 + _LEFT_OUT_FITS) * s.neuroids * target)
    return total


def unit_cost(unit: Unit, *, read: bool = True, prepared: bool = False) -> Cost:
    """Return what a unit takes in a process.

    ``read``: its subjects have to be read; ``prepared``: this family has been scored on them before.
    """
    s = sizes_of(unit)
    responses = sum(subject.n_presentations * subject.n_neuroids for subject in unit.subjects)
    features = s.n * sum(s.widths)
    requests = 3 + sum(_chunks(s.n, width) for width in s.widths)
    bytes_read = unit.embedding.itemsize * features
    if read:
        requests += 3 * len(unit.subjects)
        requests += sum(_chunks(subject.n_presentations, subject.n_neuroids) for subject in unit.subjects)
        bytes_read += 4 * responses
    held = 8 * (responses + 2 * s.n * s.neuroids) + 8 * s.n * max(s.widths)
    held += min(HELD_LAYERS, unit.embedding.itemsize * features) + min(KEPT_BYTES, 24 * s.n**2 * s.rois)
    family = family_of(unit)
    memory = PROCESS + held + _working(family, s)
    counted = operations(family, s) + (0.0 if prepared else subject_operations(family, s))
    return Cost(counted, bytes_read, requests, int(memory))


def _chunks(rows: int, columns: int) -> int:
    return math.ceil(rows / _CHUNK) * math.ceil(columns / _CHUNK)


def _working(family: str, s: Sizes) -> float:
    square = 8.0 * s.n**2
    if family == "encoding" or get_metric(family).fits:
        left_out = 8.0 * (s.blocks + 50) * s.folds * s.neuroids * s.n_metrics
        return 2 * s.folds * square + 2 * left_out + 6 * 8 * s.n * s.neuroids
    metric = get_metric(family)
    prepared = 3 if metric.form is not None and metric.form.smooth else 3 + _HALVES
    layers = min(len(s.widths) * square, float(GRAM_BUDGET)) + square
    return 2 * layers + prepared * square * s.rois
