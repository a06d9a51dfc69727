"""Tables beside a result: what a leaderboard reads lies apart from the rest."""

import io

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from brainalign.results.write import parquet_bytes


def test_selected_rows_are_a_group_of_their_own() -> None:
    table = pd.DataFrame({"layer": ["a", "selected", "z", "selected"], "value": [0.1, 0.2, 0.3, 0.4]})
    file = pq.ParquetFile(io.BytesIO(parquet_bytes(pa.Table.from_pandas(table))))
    assert file.metadata.num_row_groups == 2
    assert file.read_row_group(0).to_pydict() == {"layer": ["selected"] * 2, "value": [0.2, 0.4]}
    assert file.read_row_group(1).to_pydict() == {"layer": ["a", "z"], "value": [0.1, 0.3]}


def test_tables_without_selected_rows_or_without_rows_are_written_whole() -> None:
    table = pd.DataFrame({"layer": ["a", "b"], "value": [0.1, float("nan")]})
    for rows in (table, table[:0]):
        data = parquet_bytes(pa.Table.from_pandas(rows, preserve_index=False))
        pd.testing.assert_frame_equal(pd.read_parquet(io.BytesIO(data)), rows, check_dtype=len(rows) > 0)
