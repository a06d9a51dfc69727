"""Published tables of models and their alignment, so that claims made from them can be related again."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from brainalign.errors import InputError

__all__ = ["conwell_table", "is_conwell_folder"]

_SUMMARY = "results_summary.csv"
_STATISTICS = "model_statistics"


def is_conwell_folder(root: Path) -> bool:
    """Tell whether a folder holds the tables of Conwell et al. 2024 as they were published."""
    return (root / _SUMMARY).is_file()


def conwell_table(root: str | Path) -> pd.DataFrame:
    """Read the tables of Conwell et al. 2024: 224 models against occipitotemporal cortex of the NSD.

    Parameters
    ----------
    root : path
        The folder ``publication/source_data`` of the repository ``ColinConwell/DeepNSD``, with ``results_summary.csv``
        and ``model_statistics/``.

    Returns
    -------
    DataFrame
        One row a model: model, architecture, model_class, train_task, train_data, trained, n_parameters; a column for
        each metric (crsa: RDMs as they are, wrsa: of encoding predictions, srpr: encoding), mean over subjects; and,
        where their tables are there, effective_dimensions (participation ratio of the layer that fits best),
        effective_dimensions_projected (after sparse random projection) and imagenet_top1. What a model lacks is NaN.

    Raises
    ------
    InputError
        If a table or a column is absent, or a model has several values where one is expected.

    Notes
    -----
    Source: Conwell et al. 2024, doi:10.1038/s41467-024-53147-y. The tables are not part of this package.
    """
    folder = Path(root)
    long = _read(folder / _SUMMARY, ["model_string", "model", "metric", "score", "train_task"])
    # these models are named without their task in the other tables
    plain = long["model"].astype(str).str.contains("ipcl")
    long = long.assign(name=long["model_string"].where(~plain, long["model"]))
    scores = long.groupby(["name", "metric"], sort=False)["score"].mean().unstack("metric")
    named = {"total_parameter_count": "n_parameters"}
    facts = ["architecture", "model_class", "train_task", "train_data", "total_parameter_count"]
    known = long.drop_duplicates("name").set_index("name")
    table = known[[name for name in facts if name in known]].rename(columns=named).join(scores)
    table["trained"] = table["train_task"] != "random"
    for name, of in _statistics(folder / _STATISTICS).items():
        table[name] = of.reindex(table.index)
    return table.rename_axis("model").reset_index()


def _statistics(folder: Path) -> dict[str, pd.Series]:
    found: dict[str, pd.Series] = {}
    path = folder / "dimensionality.csv"
    if path.is_file():
        table = _read(path, ["model_string", "random_projection", "effective_dimensions"])
        projected = table["random_projection"].astype(str).str.lower() == "true"
        for name, rows in (("", table[~projected]), ("_projected", table[projected])):
            found[f"effective_dimensions{name}"] = _one_a_model(rows, "effective_dimensions", path)
    path = folder / "imagenet1k.csv"
    if path.is_file():
        table = _read(path, ["model_string"])
        column = next((str(name) for name in table if str(name).endswith("top1")), None)
        if column is None:
            raise InputError(f"{path} has the columns {list(table.columns)}; one that ends in 'top1' is expected.")
        found["imagenet_top1"] = _one_a_model(table, column, path)
    return found


def _one_a_model(rows: pd.DataFrame, column: str, path: Path) -> pd.Series:
    twice = rows.loc[rows["model_string"].duplicated(), "model_string"]
    if len(twice):
        raise InputError(f"{path} has several rows for {twice.iloc[0]!r}; one for each model is expected.")
    return rows.set_index("model_string")[column].astype(float)


def _read(path: Path, columns: list[str]) -> pd.DataFrame:
    if not path.is_file():
        raise InputError(f"{path} is absent; give the folder publication/source_data of ColinConwell/DeepNSD.")
    table = pd.read_csv(path)
    absent = [name for name in columns if name not in table]
    if absent:
        raise InputError(f"{path} lacks the columns {', '.join(absent)}; it has {list(table.columns)}.")
    return table
