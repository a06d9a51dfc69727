"""The noise that was put into a miniature is what the ceiling finds in its repeats, within its interval.

NSD and its companions have tests of their own, with a noise sd for each voxel.
"""

import numpy as np
import pytest

from brainalign.datasets import ingest
from brainalign.stats import as_repeats, noise_ceiling
from brainalign.stats.ceilings import noise_variances
from brainalign.store import open_store
from brainalign.testing import mini_things
from brainalign.testing.miniatures import MINIATURES

NOISE = {  # variant, sd of the noise of one trial where the signal has sd 1
    "bold-moments": ("rois-test", 0.8),
    "bold5000": ("glmsingle.TYPED.z", 0.7),
    "god": ("perception-test", 0.5),
    "laion-fmri": ("glmsingle-shared.z", 0.6),
    "things-fmri": ("betas-csv-test", mini_things.NOISE),
}


@pytest.mark.parametrize("dataset", NOISE)
def test_the_noise_is_recovered(dataset, tmp_path):
    variant, sd = NOISE[dataset]
    mini, store = MINIATURES[dataset], open_store(tmp_path / "store")
    mini.make(tmp_path / "tree")
    entry = ingest(dataset, tmp_path / "tree", store, variant=variant, **mini.options).entries[0]
    responses = store.responses(dataset, entry.subject)
    repeats = as_repeats(responses)
    noise, signal, inverse = noise_variances(repeats, None)
    share = noise_ceiling(responses).value
    used = share > 0.1  # not the constant voxel, nor the one of noise alone
    squared = (np.broadcast_to(sd, used.shape)[used] ** 2).astype(float)
    ratio = noise[used].mean() / signal[used].mean()
    freedom = np.array([(repeats.counts - 1).sum(), (repeats.counts > 0).sum() - 1]) * used.sum()
    margin = 4 * np.sqrt((2 / freedom).sum())  # four standard errors of the logarithm of the ratio
    assert abs(np.log(ratio / squared.mean())) < margin < 0.7
    expected = 1 / (1 + squared * float(np.mean(inverse)))
    assert share[used].mean() == pytest.approx(expected.mean(), abs=0.1)
