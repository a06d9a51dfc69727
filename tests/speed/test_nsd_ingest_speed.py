"""Ingesting NSD at its real size: ``pytest -n0 tests/speed/test_nsd_ingest_speed.py --benchmark-only``.

Writes sessions of subj01's real grid with a region of as many voxels as its nsdgeneral, and compares the time per
session with reading the same voxels with h5py alone. BRAINALIGN_SPEED_SESSIONS sets the number of sessions (4); those
after the fifth are links to the first five. Each session is a file of up to 1 GB; it is filled with noise where the
region lies, and sparse elsewhere. On a busy machine compare ``cpu_seconds_a_session``, the least of the rounds, which
does not depend on what else runs.
"""

import os
import resource
import time

import h5py
import nibabel
import numpy as np
import pytest
import scipy.io

from brainalign.datasets import ingest
from brainalign.store import open_store

GRID = (81, 104, 83)
N_VOXELS = 15724
N_SESSIONS = int(os.environ.get("BRAINALIGN_SPEED_SESSIONS", "4"))
N_FILES = 5
BETAS = "nsddata_betas/ppdata/subj01/func1pt8mm/betas_fithrf_GLMdenoise_RR"


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    root, rng = tmp_path_factory.mktemp("nsd"), np.random.default_rng(0)
    region = posterior_shell()
    roi = root / "nsddata/ppdata/subj01/func1pt8mm/roi"
    roi.mkdir(parents=True)
    nibabel.save(nibabel.Nifti1Image(np.where(region, 1.0, -1.0), np.eye(4)), roi / "nsdgeneral.nii.gz")
    design = root / "nsddata/experiments/nsd"
    design.mkdir(parents=True)
    n_images = 250 * N_SESSIONS
    fields = {
        "masterordering": rng.permutation(np.repeat(np.arange(n_images), 3))[None] + 1.0,
        "subjectim": np.arange(1.0, n_images + 1)[None],
        "sharedix": np.arange(1.0, 101)[None],
    }
    scipy.io.savemat(design / "nsd_expdesign.mat", fields)
    (root / BETAS).mkdir(parents=True)
    files = [root / BETAS / f"betas_session{session:02d}.hdf5" for session in range(1, N_SESSIONS + 1)]
    for number, path in enumerate(files):
        if number < N_FILES:
            write_session(path, region, rng)
        else:
            path.symlink_to(files[number % N_FILES])
    return root, region


def posterior_shell():
    """A folded sheet of exactly N_VOXELS voxels at the back of the grid, in runs as short as those of a cortex."""
    x, y, z = np.indices(GRID)
    depth = np.hypot(np.hypot((x - 40) / 33, (y - 52) / 48), (z - 41) / 34)
    depth += 0.08 * np.sin(x / 2.1) * np.sin(y / 2.3) * np.sin(z / 1.9)
    order = np.argsort(np.where(y < 50, np.abs(depth - 0.9), 9).ravel(), kind="stable")
    region = np.zeros(np.prod(GRID), dtype=bool)
    region[order[:N_VOXELS]] = True
    return region.reshape(GRID)


def write_session(path, region, rng):
    with h5py.File(path, "w") as file:
        data = file.create_dataset("betas", (750, *GRID[::-1]), "i2", chunks=(750, 1, 1, 1))
        for z in range(GRID[2]):
            plane = region[:, :, z].T
            if plane.any():
                values = np.zeros((750, *plane.shape), np.int16)
                values[:, plane] = rng.normal(300, 400, (750, plane.sum()))
                low, high = np.flatnonzero(plane.any(axis=1))[[0, -1]]
                left, right = np.flatnonzero(plane.any(axis=0))[[0, -1]]
                box = slice(low, high + 1), slice(left, right + 1)
                data[(slice(None), z, *box)] = values[(slice(None), *box)]


def by_h5py(root, region):
    """Read the voxels of all sessions as h5py alone does: one selection for each run of neighbouring voxels."""
    total = 0
    for session in range(1, N_SESSIONS + 1):
        with h5py.File(root / BETAS / f"betas_session{session:02d}.hdf5") as file:
            data = file["betas"]
            for z, y in np.argwhere(region.any(axis=0).T):
                edges = np.flatnonzero(np.diff(np.concatenate([[0], region[:, y, z].astype(np.int8), [0]])))
                for start, stop in edges.reshape(-1, 2):
                    total += data[:, z, y, start:stop].size
    assert total == 750 * N_SESSIONS * region.sum()


def timed(benchmark, run):
    """Run three rounds after a warm-up; note wall and processor time of a session."""

    def clocked():
        start = time.process_time()
        found = run()
        times.append(time.process_time() - start)
        return found

    times = []
    found = benchmark.pedantic(clocked, rounds=3, warmup_rounds=1)
    benchmark.extra_info["seconds_a_session"] = benchmark.stats.stats.min / N_SESSIONS
    benchmark.extra_info["cpu_seconds_a_session"] = min(times) / N_SESSIONS
    return found


def test_h5py_alone(benchmark, tree):
    timed(benchmark, lambda: by_h5py(*tree))


def test_ingest(benchmark, tree, tmp_path):
    number = iter(range(100))

    def run():
        store = open_store(tmp_path / f"store{next(number)}")
        return ingest("nsd", tree[0], store, check_ncsnr=False)

    report = timed(benchmark, run)
    benchmark.extra_info["peak_gigabytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    assert report.entries[0].n_neuroids == N_VOXELS
