"""One cell of a score table (subject x ROI x layer) with all that is known of it, and its row in a result file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from brainalign.errors import BrainalignError, InputError, ShapeError, UndefinedError
from brainalign.evaluate.half_sampling import Spread
from brainalign.metrics import Metric
from brainalign.results.schema import SELECTED
from brainalign.results.write import BLOCK_COLUMNS, PAIR_COLUMNS
from brainalign.stats import Calibrated, Ceiling, Interval
from brainalign.stats.best import EQUAL
from brainalign.stats.permutation import calibrated
from brainalign.stats.spread import Spread as OverStimuli

__all__ = ["SELECTED", "Cell", "block_table", "calibrate_or_reason", "interval_or_none", "ratio", "result_row"]

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Cell:
    """A score of one layer, or of the layer chosen in the training folds, against one ROI of one subject.

    ``left_out`` and ``bound_left_out`` hold the score and the ceiling's bound with each stimulus block left out,
    ``together`` the score with each of ``pairs`` (k, 2) of blocks left out together.
    """

    subject: str
    roi: str
    layer: str
    value: float
    left_out: FloatArray
    interval: Interval | None
    null: Calibrated | None
    ceiling: Ceiling
    bound: float | None
    bound_left_out: FloatArray | None
    chance: float
    n_stimuli: int
    n_neuroids: int
    n_excluded: int = 0
    choice: tuple[str, ...] | None = None
    reasons: tuple[str, ...] = field(default=())
    noise_free: Interval | None = None
    pairs: npt.NDArray[np.intp] | None = None
    together: FloatArray | None = None

    def with_spread(self, spread: Spread) -> Cell:
        """Return the cell with an interval from half-samples, and a noise-free value where one can be given."""
        reasons = self.reasons if spread.reason is None else (*self.reasons, spread.reason)
        return replace(self, interval=spread.interval, noise_free=spread.noise_free, reasons=reasons)


def interval_or_none(
    value: float,
    left_out: FloatArray,
    sizes: Sequence[int],
    n: int,
    level: float,
    pairs: npt.NDArray[np.intp] | None = None,
    pairs_left_out: FloatArray | None = None,
) -> Interval | None:
    """Jackknife interval, or None where the score is undefined with some block, or pair of blocks, left out."""
    values = [left_out] if pairs_left_out is None else [left_out, pairs_left_out]
    if not np.isfinite(value) or not all(np.isfinite(some).all() for some in values):
        return None
    spread = OverStimuli.of_blocks(value, left_out, sizes, n, pairs=pairs, pairs_left_out=pairs_left_out)
    return spread.interval(level)


def calibrate_or_reason(
    value: float,
    null: FloatArray | None,
    moments: tuple[float, float] | None,
    n_permutations: int,
    *,
    lower: bool = False,
) -> tuple[Calibrated | None, tuple[str, ...]]:
    """Place a score in its null, or say why that cannot be done.

    ``n_permutations`` is how many the benchmark asks for; with ``lower`` small scores are aligned.
    """
    if not np.isfinite(value):
        return None, ()
    if null is None:
        if not n_permutations:
            return None, ("z and p: the benchmark asks for no permutations of measures that fit",)
        return None, ("z and p: no two sources have the same number of stimuli, so none can be exchanged",)
    try:
        return calibrated(value, null, moments=moments, at_least=EQUAL, lower=lower), ()
    except UndefinedError as error:
        return None, (f"z and p: {error}",)


def ratio(cell: Cell) -> tuple[float | None, FloatArray | None]:
    """Normalised value and its leave-block-out values."""
    if cell.bound is None or not cell.bound > 0 or not np.isfinite(cell.value):
        return None, None
    left_out = None if cell.bound_left_out is None else cell.left_out / cell.bound_left_out
    return cell.value / cell.bound, left_out


def result_row(cell: Cell, metric: Metric, sizes: Sequence[int], level: float) -> dict[str, Any]:
    """Return the row of a result file; undefined values are None with a reason."""
    normalised, left_out = ratio(cell)
    spread = None
    if normalised is not None and left_out is not None and cell.interval is not None:
        spread = _normalised_interval(cell, normalised, left_out, sizes, level)
    interval, null, ceiling, clean = cell.interval, cell.null, cell.ceiling, cell.noise_free
    return {
        "subject": cell.subject,
        "roi": cell.roi,
        "layer": cell.layer,
        "value": _number(cell.value),
        "low": _number(interval.low if interval else None),
        "high": _number(interval.high if interval else None),
        "se": _number(interval.se if interval else None),
        "level": level,
        "chance": _number(cell.chance),
        "direction": metric.direction,
        "ceiling": _number(cell.bound),
        "ceiling_kind": ceiling.kind,
        "ceiling_low": _number(spread.bound_low if spread else None),
        "ceiling_high": _number(ceiling.upper if ceiling.upper is not None else spread.bound_high if spread else None),
        "ceiling_reason": ceiling.reason,
        "normalised": _number(normalised),
        "normalised_low": _number(spread.low if spread else None),
        "normalised_high": _number(spread.high if spread else None),
        "extrapolated": _number(clean.estimate if clean else None),
        "extrapolated_low": _number(clean.low if clean else None),
        "extrapolated_high": _number(clean.high if clean else None),
        "null_mean": _number(null.null_mean if null else None),
        "null_sd": _number(null.null_sd if null else None),
        "z": _number(null.z if null else None),
        "p": _number(null.p if null else None),
        "n_permutations": null.n_permutations if null else None,
        "n_stimuli": cell.n_stimuli,
        "n_neuroids": cell.n_neuroids,
        "n_excluded": cell.n_excluded,
        "n_repeats": _number(ceiling.n_repeats),
        "choice": list(cell.choice) if cell.choice is not None else None,
        "reason": "; ".join(_reasons(cell)) or None,
    }


def _reasons(cell: Cell) -> tuple[str, ...]:
    if np.isfinite(cell.value) or cell.reasons:
        return cell.reasons
    return ("value: the score is undefined for these responses",)


@dataclass(frozen=True)
class _Spread:
    low: float
    high: float
    bound_low: float | None
    bound_high: float | None


def _normalised_interval(
    cell: Cell, normalised: float, left_out: FloatArray, sizes: Sequence[int], level: float
) -> _Spread | None:
    n = int(np.sum(sizes))
    assert cell.interval is not None and cell.bound is not None and cell.bound_left_out is not None
    bound = interval_or_none(cell.bound, cell.bound_left_out, sizes, n, level)
    if cell.interval.method == "jackknife":
        plain = interval_or_none(cell.value, cell.left_out, sizes, n, level)
        interval = interval_or_none(normalised, left_out, sizes, n, level)
        if interval is None or plain is None:
            return None
        # what stimuli do together was taken off the width of the value, and is so in proportion here
        half = (interval.high - normalised) * (cell.interval.se / plain.se if plain.se > 0 else 1.0)
        return _Spread(
            normalised - half, normalised + half, bound.low if bound else None, bound.high if bound else None
        )
    low, high = cell.interval.low / cell.bound, cell.interval.high / cell.bound
    return _Spread(low, high, bound.low if bound else None, bound.high if bound else None)


def block_table(cells: Sequence[Cell], sizes: Sequence[int]) -> pd.DataFrame:
    """Return the values with each block left out, one line a cell and block.

    Where some pairs of blocks are left out together, each block's ``partner`` and the value without both.
    """
    parts = []
    paired = any(cell.pairs is not None and len(cell.pairs) for cell in cells)
    for cell in cells:
        if not np.isfinite(cell.value):
            continue
        _, normalised = ratio(cell)
        parts.append(
            pd.DataFrame(
                {
                    "subject": cell.subject,
                    "roi": cell.roi,
                    "layer": cell.layer,
                    "block": np.arange(len(sizes)),
                    "n_left_out": np.asarray(sizes),
                    "value": cell.left_out,
                    "normalised": np.full(len(sizes), np.nan) if normalised is None else normalised,
                    **(_partners(cell, len(sizes)) if paired else {}),
                }
            )
        )
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=[*BLOCK_COLUMNS])


def _partners(cell: Cell, n_blocks: int) -> dict[str, Any]:
    """Columns of the pairs of blocks: a block is the first of at most one pair."""
    partner = pd.array([pd.NA] * n_blocks, dtype="Int64")
    together = np.full(n_blocks, np.nan)
    if cell.pairs is not None and cell.together is not None:
        partner[cell.pairs[:, 0]] = cell.pairs[:, 1]
        together[cell.pairs[:, 0]] = cell.together
    return dict(zip(PAIR_COLUMNS, (partner, together), strict=True))


def leaves_undefined(error: BrainalignError) -> bool:
    """Whether an error means that these data are too few or too uniform for a measure, and not that they are bad."""
    return isinstance(error, (UndefinedError, ShapeError)) or type(error) is InputError


def undefined_cell(cell_of: dict[str, Any], n_blocks: int, error: BrainalignError) -> Cell:
    """Return a cell without a value and with the reason."""
    nothing = np.full(n_blocks, np.nan)
    return Cell(**cell_of, value=float("nan"), left_out=nothing, interval=None, null=None, reasons=(f"value: {error}",))


def _number(value: float | None) -> float | None:
    return None if value is None or not np.isfinite(value) else float(value)
