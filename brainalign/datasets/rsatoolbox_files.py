"""rsatoolbox's HDF5 files: datasets and RDMs, in and out."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import numpy.typing as npt

from brainalign import __version__
from brainalign.datasets.deposit import Neuroids, averaged_reason, count_repeats, deposit_responses
from brainalign.datasets.matrices import real_numbers
from brainalign.datasets.neuroid_tables import ALL
from brainalign.datasets.rdms import import_rdms
from brainalign.datasets.report import ImportReport
from brainalign.errors import ChoiceError, DatasetError, InputError, near_names
from brainalign.foreign.inflation import HDF5_ERRORS, read_hdf5
from brainalign.foreign.rehearsal import rehearse

if TYPE_CHECKING:
    import xarray as xr

    from brainalign.store import Store

__all__ = ["export_rsatoolbox", "import_rsatoolbox", "read_dictionary"]

Array = npt.NDArray[Any]
STIMULUS = ("stimulus", "stimulus_id", "stimuli", "images", "image", "conds", "conditions", "condition", "cond")
ROI = ("roi", "ROI", "region", "area")
SUBJECT = ("subject", "subject_id", "sub")
SLASH = "\u2215"  # HDF5 takes "/" in a name for a path
ROWS = {"session": "session", "sessions": "session", "run": "run", "runs": "run", "repetition": "repetition"}


def import_rsatoolbox(
    store: Store,
    path: str | Path,
    *,
    dataset: str,
    subject: str | None = None,
    variant: str = "rsatoolbox",
    stimulus: str | None = None,
    roi: str | None = None,
    averaged: int | str | None = None,
    stimulus_set: str = "",
    simulated: bool = False,
    licence: str = "",
) -> list[ImportReport]:
    """Bring a saved ``Dataset`` or ``RDMs`` of rsatoolbox into the store.

    Parameters
    ----------
    store : Store
    path : path
        HDF5 file that ``Dataset.save`` or ``RDMs.save`` wrote. Pickles are not read: they can run code.
    dataset, variant : str
    subject : str, optional
        Name of the subject of a ``Dataset``; default its descriptor ``subject``. Of RDMs the RDM descriptor ``subject``
        names the subjects; without it there is one.
    stimulus : str, optional
        Descriptor of the observations or patterns that holds stimulus ids. Default: the first there is of ``stimulus``,
        ``stimulus_id``, ``images``, ``conds``, ``conditions``, ….
    roi : str, optional
        Descriptor of the channels or RDMs that names the region. Default: the first of ``roi``, ``region``, ``area``.
    averaged, stimulus_set, simulated, licence
        As in :func:`brainalign.datasets.import_responses`.

    Returns
    -------
    list of ImportReport
        Other channel descriptors are kept as coordinates; repeats are numbered in order where there is no descriptor
        ``repetition``.

    Raises
    ------
    DatasetError
        If the file is neither, or is a ``TemporalDataset``.
    """
    content = read_dictionary(path)
    more = {"stimulus_set": stimulus_set, "simulated": simulated, "licence": licence}
    if "dissimilarities" in content:
        return _import_rdms(store, content, path, dataset, variant, subject, stimulus, roi, more)
    kind = str(content.get("type", ""))
    if "measurements" not in content or kind not in ("Dataset", "DatasetBase", ""):
        raise DatasetError(
            f"{path} holds {kind or sorted(content)}; expected a Dataset (measurements) or RDMs (dissimilarities) of "
            "rsatoolbox. Average a TemporalDataset over time first."
        )
    values = real_numbers(content["measurements"], f"measurements of {path}")
    rows = _rows(content.get("obs_descriptors", {}), stimulus, path, averaged)
    channels = {k: v for k, v in content.get("channel_descriptors", {}).items() if np.shape(v) == (values.shape[1],)}
    reason = averaged_reason(averaged)
    name = subject or str(content.get("descriptors", {}).get("subject", "")) or "sub01"
    attrs = {"simulated": simulated, "licence": licence}
    report = deposit_responses(
        store,
        dataset=dataset,
        variant=variant,
        subject=name,
        values=values,
        rows=rows,
        neuroids=_channels(channels, values.shape[1], roi, path),
        stimulus_set=stimulus_set,
        attrs={**attrs, "n_repeats_reported": averaged if isinstance(averaged, int) else None},
        options={"reader": "rsatoolbox/1", "averaged": reason},
        averaged=reason,
    )
    return [report]


def export_rsatoolbox(
    store: Store, dataset: str, out: str | Path, *, variant: str | None = None, subjects: Sequence[str] | None = None
) -> list[Path]:
    """Write responses as rsatoolbox ``Dataset`` files, one a subject, or RDMs as one ``RDMs`` file.

    Parameters
    ----------
    store : Store
    dataset : str
    out : path
        Folder.
    variant : str, optional
        Needed only where there are several.
    subjects : sequence of str, optional
        Default: all.

    Returns
    -------
    list of Path
        ``<dataset>_<subject>.h5``, read by ``rsatoolbox.data.load_dataset``, or ``<dataset>_rdms.h5``, read by
        ``rsatoolbox.rdm.load_rdm``. Every ROI is a channel descriptor of 0 and 1; ``roi`` names the first that holds
        the channel. RDMs have the descriptors ``subject`` and ``roi``.

    Raises
    ------
    ChoiceError
        If a subject is unknown.
    DatasetError
        If subjects' RDMs are of other stimuli.
    InputError
        If a text is not ASCII: rsatoolbox reads no other.
    """
    known = store.subjects(dataset, variant)
    for name in subjects or ():
        if name not in known:
            raise ChoiceError(f"{dataset} has no subject {name!r}.{near_names(name, known)}")
    names = list(subjects or known)
    if not names:
        raise ChoiceError(f"the store has no responses of {dataset!r}.")
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    entries = {name: store.responses(dataset, name, variant=variant) for name in names}
    stem = _file_name(dataset)
    if next(iter(entries.values())).attrs["kind"] == "rdms":
        path = folder / f"{stem}_rdms.h5"
        _write(path, _rdms_dictionary(entries))
        return [path]
    paths = []
    for name, entry in entries.items():
        paths.append(folder / f"{stem}_{_file_name(name)}.h5")
        _write(paths[-1], _dataset_dictionary(entry))
    return paths


def read_dictionary(path: str | Path) -> dict[str, Any]:
    """Read the nested dictionary of an rsatoolbox HDF5 file: groups, arrays, attributes.

    Raises
    ------
    DatasetError
        If the file is absent or no HDF5; a pickle is refused.
    """
    path = Path(path)
    if not path.is_file():
        raise DatasetError(f"there is no file {path}.")
    if path.suffix == ".pkl":
        raise DatasetError(f"{path} is a pickle, which can run code when read; save it again with file_type='hdf5'.")
    rehearse(path, "hdf5")
    try:
        with h5py.File(path, "r") as root:
            return _group(root, path)
    except HDF5_ERRORS as error:
        raise DatasetError(f"{path} does not read as HDF5: {error}") from error


def _file_name(name: str) -> str:
    return re.sub(r"[^\w.-]", "_", name)


def _group(group: Any, path: Path) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, item in group.items():
        name = key.replace(SLASH, "/")
        if isinstance(item, h5py.Group):
            below = _group(item, path)
            numbered = below and set(below) == {str(i) for i in range(len(below))}
            found[name] = [below[str(i)] for i in range(len(below))] if numbered else below
        else:
            found[name] = None if item.shape is None else _plain(read_hdf5(item, path))
    return found | {name: _plain(value) for name, value in group.attrs.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, np.ndarray) and value.dtype.kind in "SO":
        texts = [v.decode() if isinstance(v, bytes) else str(v) for v in value.ravel()]
        return np.array(texts, dtype=object).reshape(value.shape)
    return value


def _descriptor(found: Mapping[str, Any], given: str | None, names: Sequence[str], what: str, path: Any) -> str | None:
    if given is not None and given not in found:
        raise ChoiceError(f"{path} has no {what} descriptor {given!r}.{near_names(given, found)}")
    return given or next((name for name in names if name in found), None)


def _rows(found: Mapping[str, Any], stimulus: str | None, path: Any, averaged: int | str | None) -> dict[str, Array]:
    column = _descriptor(found, stimulus, STIMULUS, "observation", path)
    if column is None:
        raise DatasetError(
            f"{path}: none of the observation descriptors {list(found)} names stimuli; say which (stimulus=)."
        )
    rows = {"stimulus": np.array([str(_number(v)) for v in found[column]], dtype=object)}
    for name, values in found.items():
        if name in ROWS and name != column:
            array = np.asarray(values)
            whole = array.dtype.kind in "iuf" and bool(np.all(array == np.floor(array)))
            rows[ROWS[name]] = array.astype(np.int64) if whole else np.array([str(v) for v in values], dtype=object)
    if "repetition" not in rows and averaged is None:
        rows["repetition"] = count_repeats(rows["stimulus"])
    return rows


def _number(value: Any) -> Any:
    return int(value) if isinstance(value, (float, np.floating)) and float(value).is_integer() else value


def _channels(found: Mapping[str, Any], n: int, roi: str | None, path: Any) -> Neuroids:
    column = _descriptor(found, roi, ROI, "channel", path)
    coordinates = {name: np.asarray(values) for name, values in found.items() if name not in (column, "index")}
    masks = {}
    for name, values in list(coordinates.items()):
        if values.dtype == bool:
            masks[name] = coordinates.pop(name)
    if column is not None and not masks:
        labels = np.array([str(v) for v in found[column]], dtype=object)
        masks = {label: np.asarray(labels == label) for label in dict.fromkeys(labels) if label}
    roi_matrix = np.stack(list(masks.values()), axis=1) if masks else np.ones((n, 1), dtype=bool)
    return Neuroids(roi_matrix, list(masks) or [ALL], coordinates)


def _import_rdms(
    store: Store,
    content: Mapping[str, Any],
    path: Any,
    dataset: str,
    variant: str,
    subject: str | None,
    stimulus: str | None,
    roi: str | None,
    more: Mapping[str, Any],
) -> list[ImportReport]:
    pairs = np.atleast_2d(np.asarray(content["dissimilarities"]))
    patterns, described = content.get("pattern_descriptors", {}), content.get("rdm_descriptors", {})
    column = _descriptor(patterns, stimulus, STIMULUS, "pattern", path)
    n = (1 + round((1 + 8 * pairs.shape[1]) ** 0.5)) // 2
    ids = [str(_number(v)) for v in patterns[column]] if column else [str(i) for i in range(n)]
    of_roi, of_subject = (_descriptor(described, g, k, "RDM", path) for g, k in ((roi, ROI), (None, SUBJECT)))
    regions = [str(v) for v in described[of_roi]] if of_roi else [ALL] * len(pairs)
    names = [str(v) for v in described[of_subject]] if of_subject else [subject or "sub01"] * len(pairs)
    places = list(zip(names, regions, strict=True))
    if len(set(places)) < len(places):
        raise DatasetError(
            f"{path} holds {len(pairs)} RDMs, but their descriptors name {len(set(places))} subjects and regions; give "
            "them the RDM descriptors 'subject' and 'roi', so that each is one of its own."
        )
    every, areas = list(dict.fromkeys(names)), list(dict.fromkeys(regions))
    lacking = [(s, r) for s in every for r in areas if (s, r) not in set(places)]
    if lacking:
        raise DatasetError(f"{path} has no RDM of subject {lacking[0][0]!r} in region {lacking[0][1]!r}.")
    arrays = {r: np.stack([pairs[places.index((s, r))] for s in every]) for r in areas}
    measure = content.get("dissimilarity_measure")
    attrs = {"dissimilarity": str(measure)} if isinstance(measure, str) else {}
    return import_rdms(
        store, dataset=dataset, variant=variant, rdms=arrays, stimuli=ids, subjects=every, attrs=attrs, **more
    )


def _dataset_dictionary(entry: xr.Dataset) -> dict[str, Any]:
    rows, channels = {}, {}
    for name, coordinate in entry.coords.items():
        if coordinate.dims == ("presentation",) and name not in ("presentation", "sha256", "print"):
            rows[str(name)] = coordinate.values
        elif coordinate.dims == ("neuroid",) and name != "neuroid":
            channels[str(name)] = coordinate.values
    labels = list(entry["roi"].attrs["labels"]) if "roi" in entry else []
    if labels:
        member = np.asarray(entry["roi"].values)
        first = np.where(member.any(axis=1), member.argmax(axis=1), len(labels))
        channels["roi"] = np.array([*labels, ""], dtype=object)[first]
        channels |= {label: member[:, i] for i, label in enumerate(labels)}
    return {
        "measurements": np.asarray(entry["response"].values),
        "descriptors": _about(entry),
        "obs_descriptors": rows,
        "channel_descriptors": channels,
        "type": "Dataset",
    }


def _rdms_dictionary(entries: Mapping[str, xr.Dataset]) -> dict[str, Any]:
    first = next(iter(entries.values()))
    ids = first["stimulus"].values
    pairs, subjects, regions = [], [], []
    for name, entry in entries.items():
        if not np.array_equal(entry["stimulus"].values, ids):
            raise DatasetError(f"the RDMs of {name} are of other stimuli; write the subjects one by one (subjects=).")
        pairs.append(np.asarray(entry["dissimilarity"].values))
        subjects += [name] * len(pairs[-1])
        regions += [str(label) for label in entry["roi"].values]
    return {
        "dissimilarities": np.concatenate(pairs),
        "descriptors": _about(first),
        "rdm_descriptors": {"subject": np.array(subjects, dtype=object), "roi": np.array(regions, dtype=object)},
        "pattern_descriptors": {"stimulus": ids},
        "dissimilarity_measure": str(first.attrs.get("dissimilarity", "") or "unknown"),
    }


def _about(entry: xr.Dataset) -> dict[str, str]:
    about = {key: str(entry.attrs.get(key, "")) for key in ("dataset", "variant", "stimulus_set", "licence")}
    if entry.attrs["kind"] == "responses":
        about["subject"] = str(entry.attrs["subject"])
    return {**about, "written_by": f"brainalign {__version__}"}


def _write(path: Path, content: Mapping[str, Any]) -> None:
    with h5py.File(path, "w") as root:
        _write_group(root, content)


def _write_group(group: Any, content: Mapping[str, Any]) -> None:
    for name, value in content.items():
        if isinstance(value, Mapping):
            _write_group(group.create_group(name), value)
        elif isinstance(value, str):
            group.attrs[name] = value
        elif value.dtype.kind in "OU":
            group[_key(name)] = _ascii(value, name)
        else:
            group[_key(name)] = value


def _key(name: str) -> str:
    return name.replace("/", SLASH)


def _ascii(values: Array, name: str) -> Array:
    try:
        return np.array([str(value).encode("ascii") for value in values], dtype=np.bytes_)
    except UnicodeEncodeError as error:
        raise InputError(
            f"{name!r} holds {error.object!r}: rsatoolbox reads ASCII text only; rename it first."
        ) from error
