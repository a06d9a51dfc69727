"""The stimulus-indexed store: brain responses and embeddings, joined by stimulus id.

Imports only :mod:`brainalign.errors`. The layout on disk stands in :mod:`brainalign.store.layout`.
"""

from brainalign.store.check import CheckReport
from brainalign.store.embedding_writer import EmbeddingWriter
from brainalign.store.embeddings import LayerSpec
from brainalign.store.findings import Finding
from brainalign.store.join import Joined, JoinedLayers, JoinReport, join
from brainalign.store.repeats import average_repeats
from brainalign.store.store import Store, open_store

__all__ = [
    "CheckReport",
    "EmbeddingWriter",
    "Finding",
    "JoinReport",
    "Joined",
    "JoinedLayers",
    "LayerSpec",
    "Store",
    "average_repeats",
    "join",
    "open_store",
]
