"""Cross-validated ridge encoding of many targets: one decomposition a fold serves all of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from brainalign.arrays import as_matrix, parse_memory, to_numpy
from brainalign.encoding.block import FoldSolver, Panel, SolvedBlock
from brainalign.encoding.budget import Budget, search_bytes
from brainalign.encoding.checks import PERMUTED_QUANTITIES, check_folds, check_permutations, check_quantities
from brainalign.encoding.fit import EncodingFit
from brainalign.encoding.folds import Folds, make_folds
from brainalign.encoding.reduction import check_reduce, project_sparsely
from brainalign.encoding.selection import AlphaSearch, alpha_grid, check_selection, low_end_matters
from brainalign.encoding.system import CHUNK_BYTES, RidgeSystem, decompose
from brainalign.errors import PairingError

__all__ = ["EncodingPlan"]

FloatArray = npt.NDArray[np.float64]
IndexArray = npt.NDArray[np.intp]


class EncodingPlan:
    """Folds of one representation, decomposed once and used for any number of targets and permutations.

    Parameters
    ----------
    X : array, shape (n, p)
        Features, rows = stimuli.
    folds : int, list of (train, test), or scikit-learn splitter
        See `make_folds`.
    alphas : sequence of float, optional
        Grid, on the scale of scikit-learn's Ridge; default ``logspace(-1, 8, 19)``.
    selection : {"gcv", "loo", "kfold"}
        How alpha is chosen for each target inside the training rows. ``kfold``: five inner folds, groups whole.
    reduce : ("pca", components) or ("srp", dimensions), optional
        Principal components of the (standardised) training rows, scores left as they are; or a sparse random
        projection of the features before they are standardised.
    standardize : bool
        Divide columns by their standard deviation over the training rows. Centred they are always.
    groups : sequence of length n, optional
        Kept whole by the folds, outer and inner.
    device : str or torch.device, optional
        Where to compute; default where ``X`` lies, else the CPU.
    seed : int
        Of fold assignment and projection.
    max_memory : int or str, optional
        Bytes or "4GB": largest memory to allocate beyond the inputs. Work is planned in blocks of targets before it
        starts; where even the decompositions do not fit together, they are made anew for every panel of targets.

    Raises
    ------
    InputError
        Folds with under three training or two test stimuli, a budget that is too small, unusable arguments.
    UndefinedError
        Features that do not vary in a training set.

    Notes
    -----
    Everything fitted (mean, scale, components, alpha) is fitted on the training rows of the fold. GCV leaves the
    intercept's direction out. Decompositions are float64; products have the precision of the inputs, sums float64.
    Cost: n² p + n³ flops a fold (n <= p), then 2 n² + 2 n_test n flops a target and fold.
    Golub, Heath & Wahba 1979, doi:10.1080/00401706.1979.10489751.
    """

    def __init__(
        self,
        X: Any,
        *,
        folds: Folds,
        alphas: npt.ArrayLike | None = None,
        selection: str = "gcv",
        reduce: tuple[str, int] | None = None,
        standardize: bool = True,
        groups: npt.ArrayLike | Sequence[Any] | None = None,
        device: str | torch.device | None = None,
        seed: int = 0,
        max_memory: int | str | None = None,
    ) -> None:
        features = as_matrix(X, name="X", device=device)
        self.n_stimuli = len(features)
        self.alphas = alpha_grid(alphas)
        self.selection = check_selection(selection)
        self.standardize = bool(standardize)
        self.seed = seed
        self.folds = make_folds(self.n_stimuli, folds, groups, seed)
        self._groups = None if groups is None else np.asarray(groups)
        smallest = check_folds(self.folds)
        self.reduce = check_reduce(reduce, smallest, features.shape[1])
        self.device = features.device
        self._limit = None if max_memory is None else parse_memory(max_memory)
        self._budget = self._plan(features)
        self.projection: dict[str, Any] | None = None
        if self.reduce is not None and self.reduce[0] == "srp":
            features, self.projection = project_sparsely(features, self.reduce[1], seed)
        self._X = features
        self._alphas = torch.as_tensor(self.alphas, device=self.device)
        self._systems: dict[int, RidgeSystem] = {}

    @property
    def parameters(self) -> dict[str, Any]:
        """What the scores depend on beside the data and the folds."""
        return {
            "alphas": self.alphas.tolist(),
            "selection": self.selection,
            "reduce": self.reduce,
            "projection": self.projection,
            "standardize": self.standardize,
            "seed": self.seed,
        }

    def fit(self, Y: Any, predictions: bool = False) -> EncodingFit:
        """Fit and score all targets in all folds.

        Parameters
        ----------
        Y : array, shape (n, v)
            Responses, rows = the stimuli of ``X`` in the same order.
        predictions : bool
            Also return the held-out predictions.

        Returns
        -------
        EncodingFit

        Raises
        ------
        PairingError
            If ``Y`` has another number of rows than ``X``.
        NonFiniteError, ShapeError
            As for ``X``.
        """
        targets = self._targets(Y)
        n, v = targets.shape
        shape = (len(self.folds), v)
        out = {name: np.full(shape, np.nan) for name in ("r", "r2", "alpha", "inner_r2")}
        choice = np.full(shape, -1, dtype=np.intp)
        low_end = np.zeros(len(self.folds), dtype=np.bool_)
        held_out = np.zeros((n, v), dtype=to_numpy(targets[:0]).dtype) if predictions else None
        outputs = 5 * choice.nbytes + (0 if held_out is None else held_out.nbytes)
        for fold, solver, panel, columns in self._blocks(targets, outputs):
            block = solver.solve(*panel.split(solver, columns), panel.scale[columns], panel.total[columns])
            at = (fold, slice(panel.start + columns.start, panel.start + columns.stop))
            _record(out, choice, at, block, self.alphas)
            low_end[fold] = low_end_matters(solver.system, self.alphas)
            if held_out is not None:
                predicted = block.full_prediction * panel.unit[columns] + panel.mean[columns]
                held_out[self.folds[fold][1], at[1]] += predicted.cpu().numpy()
        if held_out is not None:
            tested = np.bincount(np.concatenate([test for _, test in self.folds]), minlength=n)
            with np.errstate(invalid="ignore"):  # rows that no fold tests become NaN
                held_out /= tested[:, None].astype(held_out.dtype)
        return EncodingFit(plan=self, Y=targets, choice=choice, low_end=low_end, predictions=held_out, **out)

    def permuted(
        self,
        Y: Any,
        permutations: npt.ArrayLike,
        *,
        quantity: str | Sequence[str] = "r",
        segments: Sequence[IndexArray] | None = None,
    ) -> FloatArray:
        """Score ``Y[permutation]`` for every permutation, refitted, with alpha chosen anew.

        Parameters
        ----------
        Y : array, shape (n, v)
        permutations : int array, shape (R, n)
        quantity : {"r", "r2", "inner_r2"} or a sequence of them
            Several are taken from the same fits. ``inner_r2`` is what a layer may be chosen by, see `EncodingFit`.
        segments : list of column indices, optional
            Return only the mean over each segment (a ROI), so that R x folds x v values are never held. Targets that
            are constant over all stimuli do not count; where a target is constant in one fold only, its score is 0.

        Returns
        -------
        array, shape (R, folds, v) or (R, folds, len(segments))
            With a leading axis of the quantities, where a sequence of them is given.

        Notes
        -----
        Permuting responses against predictions that stay fixed finds too much: folds share training rows, so their
        errors are correlated, which only refitting reproduces. Cost: that of ``fit`` times R, less the decompositions.
        """
        quantities = check_quantities(quantity, PERMUTED_QUANTITIES)
        targets = self._targets(Y)
        orders = check_permutations(permutations, self.n_stimuli)
        v = targets.shape[1]
        weights = None if segments is None else _segment_means(targets, segments)
        shape = (len(orders), len(self.folds), v if weights is None else weights.shape[1])
        out = np.zeros((len(quantities), *shape))
        width = self._budget.widths(v, out.nbytes)[1]
        for fold, solver, panel, columns in self._blocks(targets, out.nbytes):
            cols = slice(panel.start + columns.start, panel.start + columns.stop)
            count = columns.stop - columns.start
            step = max(1, width // count)
            for start in range(0, len(orders), step):
                rows = slice(start, start + step)
                part = torch.as_tensor(orders[rows], device=self.device)
                y = panel.permuted(solver, columns, part)
                sums = (sums_of[columns].repeat(len(part)) for sums_of in (panel.scale, panel.total))
                block = solver.solve(*y, *sums)
                for values, name in zip(out, quantities, strict=True):
                    scores = getattr(block, name).reshape(len(part), count)
                    if weights is None:
                        values[rows, fold, cols] = scores.cpu().numpy()
                    else:
                        values[rows, fold] += (torch.nan_to_num(scores) @ weights[cols]).cpu().numpy()
        return out[0] if isinstance(quantity, str) else out

    def system(self, fold: int) -> RidgeSystem:
        """Return the decomposition of a fold, held if memory allows."""
        if fold in self._systems:
            return self._systems[fold]
        train, test = (torch.as_tensor(rows, device=self.device) for rows in self.folds[fold])
        components = self.reduce[1] if self.reduce is not None and self.reduce[0] == "pca" else None
        system = decompose(
            self._X, train, test, standardize=self.standardize, components=components, where=f"fold {fold}"
        )
        if self._budget.keeps_systems:
            self._systems[fold] = system
        return system

    def solver(self, fold: int, dtype: torch.dtype) -> FoldSolver:
        """Return what fits and scores blocks of targets in a fold."""
        train, test = (torch.as_tensor(rows, device=self.device) for rows in self.folds[fold])
        groups = None if self._groups is None else self._groups[self.folds[fold][0]]
        system = self.system(fold)
        search = AlphaSearch(system, self._alphas, self.selection, dtype, groups=groups, seed=self.seed)
        whole = len(train) + len(test) == self.n_stimuli
        return FoldSolver(system, train, test, search, whole=whole)

    def chunk_bytes(self, default: int, outputs: int) -> int:
        """Return what may be held for a while beside systems and results: ``default``, or what the limit leaves."""
        return default if self._limit is None else min(default, self._budget.room(outputs))

    def panels(self, targets: torch.Tensor, width: int) -> Iterator[Panel]:
        """Yield panels of centred targets."""
        for start in range(0, targets.shape[1], width):
            yield Panel.of(targets, start, min(start + width, targets.shape[1]), self._product_type(targets))

    def _blocks(self, targets: torch.Tensor, outputs: int) -> Iterator[tuple[int, FoldSolver, Panel, slice]]:
        panel_width, width = self._budget.widths(targets.shape[1], outputs)
        solvers: dict[int, FoldSolver] = {}
        for panel in self.panels(targets, panel_width):
            for fold in range(len(self.folds)):
                solver = solvers.get(fold) or self.solver(fold, panel.values.dtype)
                if self._budget.keeps_systems:
                    solvers[fold] = solver
                for start in range(0, panel.width, width):
                    yield fold, solver, panel, slice(start, min(start + width, panel.width))

    def _targets(self, Y: Any) -> torch.Tensor:
        targets: torch.Tensor = as_matrix(Y, name="Y", device=self.device)
        if len(targets) != self.n_stimuli:
            raise PairingError(
                f"Y has {len(targets)} rows and X {self.n_stimuli}; both need one row for each stimulus, in one order."
            )
        return targets

    def _product_type(self, targets: torch.Tensor) -> torch.dtype:
        dtype: torch.dtype = torch.promote_types(self._X.dtype, targets.dtype)
        return dtype

    def _plan(self, features: torch.Tensor) -> Budget:
        n, p = features.shape
        fixed = 0
        if self.reduce is not None and self.reduce[0] == "srp":
            p = self.reduce[1]
            fixed = n * p * features.element_size()
        sides = [(len(train), len(test)) for train, test in self.folds]
        kept = p if self.reduce is None or self.reduce[0] == "srp" else self.reduce[1]
        # float64, and the copy in the type of products
        bases = [(a, min(a, kept), 12 * (a + b) * min(a, kept)) for a, b in sides]
        found = [search_bytes(self.selection, a, d, len(self.alphas), size) for a, d, size in bases]
        system = tuple(size + more for (_, _, size), (more, _) in zip(bases, found, strict=True))
        n_train, n_test = max(sides)
        side = min(n_train, p)
        rows = n_train + n_test
        columns = 32 * rows * p if n_train > p else min(4 * CHUNK_BYTES, 32 * rows * p)  # four float64 copies
        workspace = columns + 8 * (4 * side**2 + 3 * rows * side)
        d = min(n_train, kept)
        block = 8 * (n_train + 3 * d + 2 * len(self.alphas) + 4 * n_test) + max(more for _, more in found)
        on_accelerator = features.device.type != "cpu"
        return Budget(self._limit, fixed, system, workspace, 8 * (n + 2), block, on_accelerator)


def _record(
    out: dict[str, FloatArray], choice: IndexArray, at: tuple[int, slice], block: SolvedBlock, alphas: FloatArray
) -> None:
    index = block.choice.cpu().numpy()
    choice[at] = index
    out["alpha"][at] = np.where(index >= 0, alphas[index], np.nan)
    for name in ("r", "r2", "inner_r2"):
        out[name][at] = getattr(block, name).cpu().numpy()


def _segment_means(targets: torch.Tensor, segments: Sequence[IndexArray]) -> torch.Tensor:
    low, high = targets.aminmax(dim=0)
    varies = (low < high).double()
    weights = torch.zeros(targets.shape[1], len(segments), dtype=torch.float64, device=targets.device)
    for number, columns in enumerate(segments):
        index = torch.as_tensor(np.asarray(columns), device=targets.device)
        weights[index, number] = varies[index] / varies[index].sum()
        if not varies[index].any():
            weights[:, number] = torch.nan  # a mean over nothing
    return weights
