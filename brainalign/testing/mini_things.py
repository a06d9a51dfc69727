"""A miniature of THINGS-fMRI: tables, volumes, masks and regions of one subject, synthetic numbers."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt
import pandas as pd

from brainalign.testing.mini_volumes import some_mask, write_volume

__all__ = ["make_things_fmri"]

Array = npt.NDArray[Any]

_GLASSER = """
    V1 MST V6 V2 V3 V4 V8 4 3b FEF PEF 55b V3A RSC POS2 V7 IPS1 FFC V3B LO1 LO2 PIT MT A1 PSL SFL PCV STV 7Pm 7m
    POS1 23d v23ab d23ab 31pv 5m 5mv 23c 5L 24dd 24dv 7AL SCEF 6ma 7Am 7Pl 7PC LIPv VIP MIP 1 2 3a 6d 6mp 6v p24pr
    33pr a24pr p32pr a24 d32 8BM p32 10r 47m 8Av 8Ad 9m 8BL 9p 10d 8C 44 45 47l a47r 6r IFJa IFJp IFSp IFSa p9-46v
    46 a9-46v 9-46d 9a 10v a10p 10pp 11l 13l OFC 47s LIPd 6a i6-8 s6-8 43 OP4 OP1 OP2-3 52 RI PFcm PoI2 TA2 FOP4 MI
    Pir AVI AAIC FOP1 FOP3 FOP2 PFt AIP EC PreS H ProS PeEc STGa PBelt A5 PHA1 PHA3 STSda STSdp STSvp TGd TE1a TE1p
    TE2a TF TE2p PHT PH TPOJ1 TPOJ2 TPOJ3 DVT PGp IP2 IP1 IP0 PFop PF PFm PGi PGs V6A VMV1 VMV3 PHA2 V4t FST V3CD
    LO3 VMV2 31pd 31a VVC 25 s32 pOFC PoI1 Ig FOP5 p10p p47r TGv MBelt LBelt A4 STSva TE1m PI a32pr p24
"""
GLASSER = _GLASSER.split()
_PROPERTIES = """
    voxel_id subject_id voxel_x voxel_y voxel_z nc_singletrial nc_testset splithalf_uncorrected splithalf_corrected
    prf-eccentricity prf-polarangle prf-rsquared prf-size
"""
PROPERTIES = _PROPERTIES.split()
AREAS = ["V1", "V2", "V3", "hV4", "VO1", "VO2", "LO1 (prf)", "LO2 (prf)", "TO1", "TO2", "V3b", "V3a"]
PARCELS = {"face": ("FFA", "OFA", "STS"), "body": ("EBA",), "scene": ("PPA", "RSC", "TOS"), "object": ("LOC",)}
LOCALISER = [f"{side}{name}" for name in ("EBA", "FFA", "OFA", "STS", "PPA", "RSC", "TOS", "LOC") for side in "lr"]
GRID, N_VOXELS = (7, 6, 5), 60
N_CONCEPTS, N_EXEMPLARS, N_TEST, N_SESSIONS = 24, 12, 10, 12
NOISE = np.linspace(0.3, 2.5, N_VOXELS)


def make_things_fmri(root: str | Path, *, seed: int = 0) -> dict[str, Any]:
    """Write ``sub-01``: 24 concepts x 12 training images once, 10 test images in each of 12 sessions.

    Parameters
    ----------
    root : path
        Folder that is made.
    seed : int

    Returns
    -------
    dict
        ``response`` (trial, voxel), ``stimulus``, ``split``, ``session``, ``masks`` (region to voxels), ``x y z``,
        ``noise`` (standard deviation of each voxel; the signal's is 1, but voxel 0 is constant and voxel 1 all noise),
        and ``volume``: response and stimulus of the one run that is also written as a volume, catch trials left out.
    """
    rng = np.random.default_rng(seed)
    root = Path(root)
    trials = _trials(rng)
    ids = trials["stimulus"].str.removesuffix(".jpg")
    signal = dict(zip(ids.unique(), rng.standard_normal((ids.nunique(), N_VOXELS)), strict=True))
    response = np.stack([signal[i] for i in ids]) + NOISE * rng.standard_normal((len(ids), N_VOXELS))
    response[:, 0] = 1
    response[:, 1] = rng.standard_normal(len(ids))
    mask = some_mask(GRID, N_VOXELS, rng)
    voxels = _voxels(mask, rng)
    (root / "betas_csv").mkdir(parents=True)
    trials.to_csv(root / "betas_csv" / "sub-01_StimulusMetadata.csv", index=False)
    voxels.to_csv(root / "betas_csv" / "sub-01_VoxelMetadata.csv", index=False)
    _write_pandas_table(root / "betas_csv" / "sub-01_ResponseData.h5", response.T)
    write_volume(root / "brainmasks" / "sub-01_space-T1w_brainmask.nii.gz", mask.astype(np.uint8))
    masks = {str(name).replace("\n", ""): voxels[name].to_numpy() == 1 for name in voxels if name not in PROPERTIES}
    _regions(root / "rois", mask, masks)
    return {
        "response": response,
        "stimulus": ids.tolist(),
        "split": trials["trial_type"].tolist(),
        "session": trials["session"].tolist(),
        "masks": masks,
        "nc_testset": voxels["nc_testset"].to_numpy(),
        "noise": NOISE,
        "volume": _run(root / "betas_vol" / "scalematched" / "sub-01" / "ses-things01", mask, response, ids),
        **{axis: voxels[f"voxel_{axis}"].to_numpy() for axis in "xyz"},
    }


def _trials(rng: np.random.Generator) -> pd.DataFrame:
    concepts = [f"thing{i:02d}" for i in range(N_CONCEPTS)]
    train = [(c, f"{c}_{e:02d}s.jpg") for c in concepts for e in range(1, N_EXEMPLARS + 1)]
    order = rng.permutation(len(train)).reshape(N_SESSIONS, -1)
    rows: list[tuple[Any, ...]] = []
    for session, part in enumerate(order, start=1):
        shown = [("train", *train[i]) for i in part]
        shown += [("test", f"other{i}", f"other{i}_13s.jpg") for i in range(N_TEST)]
        for trial in rng.permutation(len(shown)):
            kind, concept, stimulus = shown[trial]
            rows.append((kind, session, 1, "01", len(rows), stimulus, concept))
    names = ["trial_type", "session", "run", "subject_id", "trial_id", "stimulus", "concept"]
    return pd.DataFrame(rows, columns=names)


def _voxels(mask: Array, rng: np.random.Generator) -> pd.DataFrame:
    glasser = [f"glasser-{n}" for n in GLASSER]
    glasser = [n.replace("9-46v", "9-\n46v") if n.endswith("9-46v") else n for n in glasser]
    columns: dict[str, Any] = {name: rng.uniform(0, 50, N_VOXELS) for name in PROPERTIES}
    columns |= {"voxel_id": np.arange(N_VOXELS), "subject_id": 1}
    columns |= dict(zip(("voxel_x", "voxel_y", "voxel_z"), np.nonzero(mask), strict=True))
    regions = [*AREAS, *LOCALISER, "IT", *glasser]
    columns |= {name: rng.integers(0, 2, N_VOXELS) for name in regions}
    area = rng.integers(0, len(AREAS) + 1, N_VOXELS)
    columns |= {name: (area == number).astype(int) for number, name in enumerate(AREAS, start=1)}
    return pd.DataFrame(columns)


def _write_pandas_table(path: Path, values: Array) -> None:
    """Write what ``DataFrame.to_hdf`` writes for a column of ids and columns of numbers: labels are pickled."""
    labels = np.array(["voxel_id", *range(values.shape[1])], dtype=object)
    with h5py.File(path, "w") as file:
        group = file.create_group("ResponseData")
        group.attrs.update({"pandas_type": "frame", "ndim": 2, "nblocks": 2})
        for name, given in (("axis0", labels), ("block0_items", labels[1:]), ("block1_items", labels[:1])):
            data = np.frombuffer(pickle.dumps(given), dtype=np.uint8)
            group.create_dataset(name, (1,), dtype=h5py.vlen_dtype(np.uint8))[0] = data
        group["axis1"] = np.arange(len(values))
        group["block0_values"] = values
        group["block1_values"] = np.arange(len(values))[:, None]


def _regions(folder: Path, mask: Array, masks: dict[str, Array]) -> None:
    areas = ("V1", "V2", "V3", "hV4", "VO1", "VO2", "LO1 (prf)", "LO2 (prf)", "TO1", "TO2", "V3a", "V3b")
    varea = np.zeros(GRID, dtype=np.float32)
    varea[mask] = sum(number * masks[name] for number, name in enumerate(areas, start=1))
    write_volume(folder / "prf" / "sub-01" / "resampled_varea.nii.gz", varea)
    for kind, names in PARCELS.items():
        for name in (f"{side}{name}" for name in names for side in "lr"):
            volume = np.zeros(GRID, dtype=np.uint8)
            volume[mask] = masks[name]
            write_volume(folder / "category_localizer" / "sub-01" / f"{kind}_parcels" / f"sub-01_{name}.nii.gz", volume)


def _run(folder: Path, mask: Array, response: Array, ids: pd.Series[str]) -> dict[str, Any]:
    """Write the first session's trials as a run of volumes, with catch trials at frames 3 and 9."""
    shown = np.delete(np.arange(36), [3, 9])
    volumes = np.zeros((*GRID, 36), dtype=np.float32)
    volumes[mask] = 99
    volumes[mask] = np.insert(response[:34], [3, 8], 99, axis=0).T
    write_volume(folder / "sub-01_ses-things01_run-01_betas.nii.gz", volumes)
    files = np.full(36, "catch001.jpg", dtype=object)
    files[9] = "catch008.jpg"
    files[shown] = [f"{i}.jpg" for i in ids[:34]]
    pd.DataFrame({"image_filename": files}).to_csv(folder / "sub-01_ses-things01_run-01_conditions.tsv", sep="\t")
    return {"response": response[:34].astype(np.float32), "stimulus": ids[:34].tolist(), "trial": (shown + 1).tolist()}
