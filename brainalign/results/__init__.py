"""Result files: immutable, with everything needed to recompute them. A leaderboard is made of these alone.

Knows no arrays and no store. One JSON an embedding x benchmark x metric, and parquet tables beside it.
"""

from brainalign.results.check import ResultProblem, check_results
from brainalign.results.identity import identity, identity_sha256
from brainalign.results.paths import TRUSTS, result_path, root_of, trust_of
from brainalign.results.properties import (
    PropertyResult,
    PropertyRow,
    PropertySource,
    iter_properties,
    property_path,
    read_property,
    write_property,
)
from brainalign.results.provenance import environment, provenance
from brainalign.results.read import find_result, iter_results, read_blocks, read_neuroids, read_result, result_files
from brainalign.results.schema import SCHEMA, BenchmarkInput, DataInput, EmbeddingInput, Files, MetricInput, Result, Row
from brainalign.results.surface_maps import (
    MapSource,
    SurfaceMap,
    iter_surface_maps,
    read_surface_map,
    surface_map_path,
    write_surface_map,
)
from brainalign.results.write import write_result

__all__ = [
    "SCHEMA",
    "TRUSTS",
    "BenchmarkInput",
    "DataInput",
    "EmbeddingInput",
    "Files",
    "MapSource",
    "MetricInput",
    "PropertyResult",
    "PropertyRow",
    "PropertySource",
    "Result",
    "ResultProblem",
    "Row",
    "SurfaceMap",
    "check_results",
    "environment",
    "find_result",
    "identity",
    "identity_sha256",
    "iter_properties",
    "iter_results",
    "iter_surface_maps",
    "property_path",
    "provenance",
    "read_blocks",
    "read_neuroids",
    "read_property",
    "read_result",
    "read_surface_map",
    "result_files",
    "result_path",
    "root_of",
    "surface_map_path",
    "trust_of",
    "write_property",
    "write_result",
    "write_surface_map",
]
