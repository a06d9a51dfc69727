"""What the page needs to test two models against each other: leave-block-out values in few bytes."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import numpy as np

from brainalign.leaderboard.pool import Pooled
from brainalign.leaderboard.rank import per_stratum

__all__ = ["paired_values"]


def paired_values(models: Sequence[Pooled | None]) -> dict[str, Any] | None:
    """Return the shares of the blocks in each model's score, so that differences of models have their standard error.

    With shares a and b of two models the squared standard error of their difference is sum((a - b)^2) over blocks and
    strata, plus the ``unpaired`` variances: the delete-block jackknife of
    `brainalign.stats.resampling.jackknife_se`, its factors taken into the shares.

    Returns
    -------
    dict or None
        ``unpaired``, one a model; ``strata``, each with ``blocks``, ``unit`` (one a model) and ``shares``: 16-bit whole
        multiples of the unit in base64, model by model. None where no model has an error that is known.
    """
    present = [i for i, model in enumerate(models) if model is not None]
    found = [model for model in models if model is not None]
    if not any(model.parts or model.unpaired > 0 for model in found):
        return None
    strata = []
    for design, full, left_out in per_stratum(found):
        g = len(design.sizes)
        shares = (1 - design.sizes / design.n)[:, None] * (left_out - full)
        shares = (shares - shares.mean(axis=0)) * np.sqrt(g / (g - 1))
        unit = np.abs(shares).max(axis=0) / 32767
        whole = np.zeros((len(models), g), dtype="<i2")
        whole[present] = np.round(np.divide(shares, unit, out=np.zeros_like(shares), where=unit > 0)).T
        units = np.zeros(len(models))
        units[present] = unit
        packed = base64.b64encode(whole.tobytes()).decode()
        strata.append({"blocks": g, "unit": [float(f"{u:.7g}") for u in units], "shares": packed})
    unpaired = [None if m is None or np.isnan(m.unpaired) else float(f"{m.unpaired:.7g}") for m in models]
    return {"unpaired": unpaired, "strata": strata}
