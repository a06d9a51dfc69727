"""Singular bases of weight matrices: do they stay under fine-tuning, are they shared, can one adapt within them?"""

from brainalign.spectral.adapter import ParameterCount, SpectralAdapter
from brainalign.spectral.checkpoint import Checkpoint, read_checkpoint
from brainalign.spectral.coefficients import count_coefficients, spectral_parameters
from brainalign.spectral.decomposition import Directions, leading_directions, low_rank_directions
from brainalign.spectral.overlap import (
    best_cosines,
    captured_energy,
    diagonal_share,
    index_cosines,
    intruder_dimensions,
    principal_angles,
    subspace_overlap,
    update_in_basis,
)
from brainalign.spectral.sharing import SpectralSharing, compare_tasks
from brainalign.spectral.stability import SpectralComparison, compare_checkpoints
from brainalign.spectral.verdicts import SpectralVerdict

__all__ = [
    "Checkpoint",
    "Directions",
    "ParameterCount",
    "SpectralAdapter",
    "SpectralComparison",
    "SpectralSharing",
    "SpectralVerdict",
    "best_cosines",
    "captured_energy",
    "compare_checkpoints",
    "compare_tasks",
    "count_coefficients",
    "diagonal_share",
    "index_cosines",
    "intruder_dimensions",
    "leading_directions",
    "low_rank_directions",
    "principal_angles",
    "read_checkpoint",
    "spectral_parameters",
    "subspace_overlap",
    "update_in_basis",
]
