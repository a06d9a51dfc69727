"""Blocks of targets that fit a memory budget, planned before work starts."""

from __future__ import annotations

from dataclasses import dataclass

from brainalign.encoding.inner_folds import MOST_SHAPES
from brainalign.errors import InputError

__all__ = ["Budget", "search_bytes"]

BLOCK_BYTES = 48 * 2**20
# an accelerator is bound by the number of its kernels, not by its cache: 2.5 times as fast as with small blocks
ACCELERATOR_BLOCK_BYTES = 512 * 2**20
SMALLEST_BLOCK = 16
# products are a third slower where rows do not begin at multiples of the cache line
ALIGNED = 64


@dataclass(frozen=True)
class Budget:
    """What one set of folds costs, in bytes.

    Attributes
    ----------
    limit : int or None
        Largest memory to allocate beyond the inputs; ``None`` for no limit.
    fixed : int
        Held throughout (projected features).
    system : tuple of int
        One decomposition of each fold.
    workspace : int
        While a fold is decomposed, beyond what is kept of it.
    panel_column, block_column : int
        Each target of a panel (its centred copy) and of a block (products and scores).
    on_accelerator : bool
        Whether blocks are large, or fit the cache of a processor.
    """

    limit: int | None
    fixed: int
    system: tuple[int, ...]
    workspace: int
    panel_column: int
    block_column: int
    on_accelerator: bool = False

    def __post_init__(self) -> None:
        if self.limit is not None and self.limit < self.least:
            raise InputError(
                f"max_memory of {self.limit / 2**20:.1f} MB is too small: one fold needs {self.least / 2**20:.1f} MB "
                "whatever the number of targets; give more, or reduce the features (reduce=('pca', k))."
            )

    @property
    def least(self) -> int:
        """Smallest memory with which the work can be done: a fold is released only once the next one is made."""
        return self.fixed + self._two_systems + self._working + SMALLEST_BLOCK * self.panel_column

    @property
    def keeps_systems(self) -> bool:
        """Whether the decompositions of all folds are held, or made anew for every panel of targets."""
        all_systems = self.fixed + sum(self.system) + self._working + SMALLEST_BLOCK * self.panel_column
        return self.limit is None or self.limit >= all_systems

    @property
    def _two_systems(self) -> int:
        return sum(sorted(self.system)[-2:])

    @property
    def _working(self) -> int:
        # a fold is decomposed, or a block of targets is solved, never both at once
        return max(self.workspace, SMALLEST_BLOCK * self.block_column)

    def room(self, outputs: int = 0) -> int:
        """Bytes left beside decompositions and ``outputs`` under a limit."""
        assert self.limit is not None  # the caller asks only then
        systems = sum(self.system) if self.keeps_systems else self._two_systems
        return self.limit - self.fixed - systems - outputs

    def widths(self, n_targets: int, outputs: int = 0) -> tuple[int, int]:
        """Return the number of targets in a panel and, at most, in a block.

        Parameters
        ----------
        n_targets : int
        outputs : int
            Bytes of results in all.

        Raises
        ------
        InputError
            If the results leave no room for the smallest block.
        """
        most = ACCELERATOR_BLOCK_BYTES if self.on_accelerator else BLOCK_BYTES
        block = panel = max(SMALLEST_BLOCK, most // self.block_column)
        if self.limit is not None:
            room = self.room(outputs) - self._working
            if room < SMALLEST_BLOCK * self.panel_column:
                raise InputError(
                    f"max_memory of {self.limit / 2**20:.1f} MB leaves no room beside the results of "
                    f"{n_targets} targets ({outputs / 2**20:.1f} MB); give more, or pass fewer targets at a time."
                )
            spare = room - SMALLEST_BLOCK * self.panel_column
            block = min(block, (self._working + spare // 2) // self.block_column)
            beyond = max(0, block * self.block_column - self._working)
            panel = (room - beyond) // self.panel_column
        if block > ALIGNED:
            block -= block % ALIGNED
        if self.keeps_systems:
            # decompositions are at hand: targets are centred block by block, in memory that was just used
            panel = min(panel, block)
        return min(panel, n_targets), block


def search_bytes(selection: str, n_train: int, d: int, n_alphas: int, system: int) -> tuple[int, int]:
    """Bytes of the choice of alpha: beside one decomposition of ``system`` bytes, and of each target of a block.

    Parameters
    ----------
    selection : {"gcv", "loo", "kfold"}
    n_train, d : int
        Shape of the basis.
    """
    if selection == "loo":
        return 2 * system, 8 * (5 * n_train + d)
    if selection == "kfold":
        shapes = min(n_alphas, MOST_SHAPES)
        # five inner folds: residuals at all alphas for a fifth of the rows, bases and hats of all
        return 8 * n_train * d * (4 + shapes), 8 * (4 * n_train + (n_alphas + shapes) * (n_train // 5 + 1))
    return 0, 0
