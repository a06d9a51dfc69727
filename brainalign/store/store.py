"""The store: brain responses and embeddings, found by name, joined by stimulus id."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from brainalign.errors import EntryNotFoundError
from brainalign.store import stimuli as stimulus_tables
from brainalign.store.check import CheckReport, check_store
from brainalign.store.embedding_writer import EmbeddingWriter
from brainalign.store.embeddings import LayerSpec, read_embeddings
from brainalign.store.files import Files, open_files, store_errors
from brainalign.store.layout import POINTER
from brainalign.store.lookup import find_embeddings, find_responses
from brainalign.store.places import Place, list_places
from brainalign.store.put import layers_of, put_brain, write_in_memory
from brainalign.store.read import Entry, open_entry, read_pointer
from brainalign.store.responses import rdm_sources, read_responses, response_sources

__all__ = ["Store", "open_store"]


def open_store(url: str | os.PathLike[str] | None = None, *, storage_options: Mapping[str, Any] | None = None) -> Store:
    """Open a store at a folder or at any fsspec URL; nothing is created before the first write.

    Parameters
    ----------
    url : str or path, optional
        A folder, ``s3://bucket/prefix``, ``memory://name``, … Default ``$BRAINALIGN_STORE``, else
        ``./brainalign-store``.
    storage_options : mapping, optional
        What fsspec needs to open the URL (keys, endpoint). Never shown and never stored.

    Raises
    ------
    StoreError
        If no file system opens the URL.
    """
    if url is None:
        url = os.environ.get("BRAINALIGN_STORE") or "brainalign-store"
    return Store(open_files(url, storage_options))


class Store:
    """A stimulus-indexed store of responses and embeddings. Open one with :func:`open_store`.

    The layout on disk is described in :mod:`brainalign.store.layout`. Reading is lazy: an array is read when it is
    indexed, and only the chunks that the index touches. Writing is atomic: readers see an entry whole or not at all.
    """

    def __init__(self, files: Files) -> None:
        self.files = files

    def __repr__(self) -> str:
        return f"Store({self.files.label!r})"

    @property
    def url(self) -> str:
        """The root, without secrets."""
        return self.files.label

    # -- stimuli -------------------------------------------------------------------------------------------

    def put_stimuli(
        self,
        stimulus_set: str,
        table: pd.DataFrame,
        *,
        source: str | None = None,
        kind: str | None = None,
        attrs: Mapping[str, Any] | None = None,
        replace: bool = False,
    ) -> bool:
        """Keep the table of a stimulus set.

        Parameters
        ----------
        stimulus_set : str
            Name of the set.
        table : DataFrame
            Column ``stimulus`` (text, unique), by custom ``file``, ``bytes``, ``sha256``, ``print`` (hex of the
            8 x 8 x 3 average colours), and any other.
        source : str, optional
            Where the image files lie.
        kind : {"folder", "zip", "hdf5", "parquet"}, optional
            How they lie there.
        attrs : mapping, optional
            Anything else that JSON holds.
        replace : bool
            Overwrite a set that has other content.

        Returns
        -------
        bool
            False if the same table was there already. A new source, kind or attrs is kept without ``replace``.

        Raises
        ------
        VariantError
            If the set is there with other content; the message says what differs.
        InputError
            If ids are missing, repeated or no text.
        """
        return stimulus_tables.put_stimuli(
            self.files, stimulus_set, table, source=source, kind=kind, attrs=attrs, replace=replace
        )

    def stimuli(self, stimulus_set: str) -> pd.DataFrame:
        """Return the table of a stimulus set; ``.attrs`` holds set, source, kind, attrs and sha256.

        Raises
        ------
        EntryNotFoundError
            If there is none; near names are offered.
        """
        return stimulus_tables.read_stimuli(self.files, stimulus_set)

    def stimulus_sets(self) -> list[str]:
        """Return the names of the stimulus sets."""
        return stimulus_tables.list_sets(self.files)

    # -- responses -----------------------------------------------------------------------------------------

    def put_responses(
        self,
        dataset: str,
        variant: str,
        subject: str,
        responses: xr.Dataset,
        *,
        options: Mapping[str, Any],
        replace: bool = False,
    ) -> bool:
        """Keep the responses of one subject.

        Parameters
        ----------
        dataset, variant, subject : str
            Names. The variant is a short id of everything that changes a number.
        responses : xarray.Dataset
            ``response`` (presentation, neuroid), read block by block if it is lazy; coordinate ``stimulus``
            (presentation) of text, and any of session, run, trial, repetition, sha256, print; along neuroid
            any of x, y, z (0-based voxel indices), vertex, hemisphere, ncsnr; optionally boolean ``roi``
            (neuroid, label) with ``label`` names. ``attrs``: stimulus_set, simulated, averaged (the reason, or
            ""), n_repeats_reported, affine, shape, surface, …; ``provenance`` is kept and not hashed.
        options : mapping
            What the variant stands for, in full.
        replace : bool
            Replace an entry that has other options or content.

        Returns
        -------
        bool
            False if the same content with the same options was there already.

        Raises
        ------
        VariantError
            If the variant is there with other options or other content; the message prints the difference.
        NonFiniteError
            If a response is NaN or inf; names stimulus and neuroid.
        """
        key = {"kind": "responses", "dataset": dataset, "variant": variant, "subject": subject}
        return put_brain(self.files, key, responses, response_sources(responses), options, replace=replace)

    def put_rdms(
        self,
        dataset: str,
        variant: str,
        subject: str,
        rdms: xr.Dataset,
        *,
        options: Mapping[str, Any],
        replace: bool = False,
    ) -> bool:
        """Keep responses that exist only as RDMs: ``dissimilarity`` (roi, pair) in SciPy order.

        Coordinates ``roi`` (names) and ``stimulus`` (ids in the order of the RDM). Everything else is as in
        :meth:`put_responses`.
        """
        key = {"kind": "rdms", "dataset": dataset, "variant": variant, "subject": subject}
        return put_brain(self.files, key, rdms, rdm_sources(rdms), options, replace=replace)

    def responses(self, dataset: str, subject: str, *, variant: str | None = None) -> xr.Dataset:
        """Return the responses (or RDMs) of a subject, read lazily.

        Parameters
        ----------
        dataset, subject : str
            Names.
        variant : str, optional
            Needed only where there are several.

        Returns
        -------
        xarray.Dataset
            As given to :meth:`put_responses`; each ROI label is also a boolean variable. ``attrs`` holds also
            kind ("responses" or "rdms"), dataset, variant, subject, options and entry_sha256.

        Raises
        ------
        EntryNotFoundError
            If there is none; near names are offered.
        VariantError
            If there are several variants and none is named.
        CorruptEntryError
            Here or when values are read, if the entry does not match its checksums.
        """
        entry = self._open(find_responses(self.files, dataset, subject, variant))
        stimulus_set = entry.document["attrs"].get("stimulus_set")
        table = stimulus_tables.find_stimuli(self.files, stimulus_set) if stimulus_set else None
        return read_responses(entry, table)

    def subjects(self, dataset: str, variant: str | None = None) -> list[str]:
        """Return the subjects of a dataset, sorted."""
        keys = [p.key for p in self._places("responses", "rdms") if p.key["dataset"] == dataset]
        return sorted({k["subject"] for k in keys if variant in (None, k["variant"])})

    def variants(self, dataset: str) -> list[str]:
        """Return the variants of a dataset, sorted."""
        places = self._places("responses", "rdms")
        return sorted({p.key["variant"] for p in places if p.key["dataset"] == dataset})

    # -- embeddings ----------------------------------------------------------------------------------------

    def embedding_writer(
        self,
        model: str,
        revision: str,
        stimulus_set: str,
        *,
        stimuli: Sequence[str],
        layers: Sequence[LayerSpec],
        dtype: str = "float32",
        chunk_rows: int | None = None,
        attrs: Mapping[str, Any] | None = None,
        replace: bool = False,
    ) -> EmbeddingWriter:
        """Return a writer that streams embeddings into the store and resumes after an interruption.

        Parameters
        ----------
        model, revision, stimulus_set : str
            Names. If the store has the set, its sha256 and print columns are kept beside the rows.
        stimuli : sequence of str
            The ids, in the order in which rows will come.
        layers : sequence of LayerSpec
            Key, width and description of each layer.
        dtype : {"float32", "float16", "float64"}
            Type on disk.
        chunk_rows : int, optional
            Rows written at a time, the grain of resuming. Default: chunks below 16 MB, buffers below 64 MB.
        attrs : mapping, optional
            ``attributes`` (family, n_parameters, …), ``simulated``, …; ``provenance`` is kept and not hashed.
        replace : bool
            Replace embeddings that were made with other arguments.

        Raises
        ------
        VariantError
            If the embeddings are there with other arguments; the message prints the difference.
        """
        table = stimulus_tables.find_stimuli(self.files, stimulus_set)
        return EmbeddingWriter(
            self.files,
            model,
            revision,
            stimulus_set,
            stimuli=stimuli,
            layers=layers,
            dtype=dtype,
            chunk_rows=chunk_rows,
            attrs=attrs,
            replace=replace,
            table=table,
        )

    def put_embeddings(
        self,
        model: str,
        revision: str,
        stimulus_set: str,
        arrays: Mapping[str, Any],
        *,
        stimuli: Sequence[str],
        attrs: Mapping[str, Any] | None = None,
        dtype: str | None = None,
        layer_attrs: Mapping[str, Mapping[str, Any]] | None = None,
        replace: bool = False,
    ) -> bool:
        """Keep embeddings that are in memory: ``arrays`` maps a key to an array (stimulus, feature).

        Kept as float32 (float16 if all are float16) unless ``dtype`` says otherwise. Returns False if the same
        embeddings were there already.

        Raises
        ------
        VariantError
            If embeddings with other arguments or other values are there.
        """
        given = {key: np.asarray(values) for key, values in arrays.items()}
        dtype = dtype or ("float16" if all(v.dtype == np.float16 for v in given.values()) else "float32")
        layers = layers_of(given, len(stimuli), layer_attrs or {})
        writer = self.embedding_writer(
            model, revision, stimulus_set, stimuli=stimuli, layers=layers, dtype=dtype, attrs=attrs, replace=replace
        )
        return write_in_memory(self.files, writer, given)

    def embeddings(self, model: str, *, stimuli: str, revision: str | None = None) -> xr.Dataset:
        """Return the embeddings of a stimulus set by a model, read lazily.

        Parameters
        ----------
        model : str
            Model id, or ``id@revision``.
        stimuli : str
            Name of the stimulus set.
        revision : str, optional
            Needed only where there are several.

        Returns
        -------
        xarray.Dataset
            One variable (stimulus, own feature dimension) a layer key; coordinate ``stimulus`` and, where the set
            has them, sha256 and print; ``attrs`` holds model, revision, stimulus_set, entry_sha256, attributes.

        Raises
        ------
        EntryNotFoundError
            If there is none; near names are offered.
        VariantError
            If there are several revisions and none is named.
        """
        return read_embeddings(self._open(find_embeddings(self.files, model, stimuli, revision)))

    def models(self, stimuli: str | None = None) -> list[tuple[str, str, str]]:
        """Return (model, revision, stimulus set) of all embeddings, or of those of one set, sorted."""
        keys = [p.key for p in self._places("embeddings")]
        found = [(k["model"], k["revision"], k["stimulus_set"]) for k in keys]
        return sorted(f for f in found if stimuli in (None, f[2]))

    # -- the whole -----------------------------------------------------------------------------------------

    def entries(self) -> pd.DataFrame:
        """Return one row an entry: kind, names, time, version that wrote it, entry_sha256, path."""
        columns = ["kind", "dataset", "variant", "subject", "model", "revision", "stimulus_set"]
        rows = []
        for place in self._places("responses", "rdms", "embeddings"):
            rest = {"time": place.pointer.get("time"), "written_by": place.pointer.get("written_by")}
            rows.append({**place.key, **rest, "entry_sha256": place.pointer["entry_sha256"], "path": place.path})
        for name in self.stimulus_sets():
            table = self.stimuli(name)
            rows.append({"kind": "stimuli", "stimulus_set": name, "entry_sha256": table.attrs["sha256"]})
        frame = pd.DataFrame(rows, columns=[*columns, "time", "written_by", "entry_sha256", "path"])
        return frame.astype(object).where(frame.notna(), "")

    def remove(self, path: str) -> None:
        """Remove the entry at a ``path`` of :meth:`entries`: the pointer first, so that readers see all or nothing."""
        with store_errors(f"removing {path}", self.files):
            if read_pointer(self.files, path) is None:
                raise EntryNotFoundError(f"no entry at {path!r} in {self.files.label}; see entries()")
            self.files.remove(f"{path}/{POINTER}")
            self.files.remove(path)

    def check(self, *, repair: bool = False, full: bool = False, discard: bool = False) -> CheckReport:
        """Look for damage and litter.

        Parameters
        ----------
        repair : bool
            Remove litter: what no pointer names and no living writer holds.
        full : bool
            Read every array and compare its content with its hash; otherwise only documents and chunk files.
        discard : bool
            Remove damaged entries, so that ingesting or embedding again makes these and nothing else. An entry of a
            format that this version does not read is no damaged one.

        Returns
        -------
        CheckReport
            Problems with the commands that make it good, litter, what was removed; ``ok`` and a readable ``str``.
        """
        return check_store(self.files, repair=repair, full=full, discard=discard)

    def _places(self, *kinds: str) -> list[Place]:
        return list_places(self.files, kinds)

    def _open(self, place: str) -> Entry:
        entry = open_entry(self.files, place)
        if entry is None:
            raise EntryNotFoundError(f"the entry {place} in {self.files.label} was removed meanwhile")
        return entry
