"""docs/metrics.md says what the table of metrics says."""

from __future__ import annotations

from pathlib import Path

from brainalign.metrics import METRICS
from brainalign.metrics.document import metrics_page


def test_the_page_is_up_to_date(repository: Path) -> None:
    found = (repository / "docs" / "metrics.md").read_text(encoding="utf-8")
    assert found == metrics_page(), "run: python -m brainalign.metrics.document > docs/metrics.md"


def test_every_metric_has_one_row() -> None:
    rows = [line for line in metrics_page().splitlines() if line.startswith("| `")]
    assert [row.split("`")[1] for row in rows] == sorted(METRICS, key=list(METRICS).index)
