"""What all figures share: fonts, colours that readers with any common colour blindness tell apart, text as text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font

from brainalign.errors import InputError

__all__ = ["DIVERGING", "GREY", "MARK", "MARKERS", "PALETTE", "SEQUENTIAL", "STYLE"]
__all__ += ["family_styles", "mark_origin", "new_figure", "number", "require", "shown"]

# Okabe & Ito 2008
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "h")
SEQUENTIAL, DIVERGING = "cividis", "PuOr_r"
MARK, GREY = "#D55E00", "#6b7280"

STYLE: dict[str, Any] = {
    "font.size": 8,
    "axes.titlesize": 8.5,
    "axes.labelsize": 8,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7.5,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 7.5,
    "figure.dpi": 150,
    "savefig.dpi": 200,
    "pdf.fonttype": 42,  # text stays text in PDF
    "svg.fonttype": "none",
}


@contextmanager
def new_figure(width: float, height: float) -> Iterator[Figure]:
    """Make a figure of that many inches under the style, without touching pyplot's state."""
    with mpl.rc_context(cast(Any, STYLE)):
        yield Figure(figsize=(width, height), layout="constrained")


def require(table: pd.DataFrame, columns: Sequence[str], what: str) -> None:
    """Refuse a table that lacks a column."""
    absent = [column for column in columns if column not in table]
    if absent:
        raise InputError(f"{what} needs columns {', '.join(absent)}; given: {', '.join(map(str, table.columns))}.")


def number(value: Any) -> float | None:
    """A number of a table, None where it is missing."""
    return None if value is None or pd.isna(value) else float(value)


def shown(text: str, limit: int = 44) -> str:
    """Text as text: no mathematics between dollar signs, long names cut in the middle, a box for what has no glyph."""
    cut = text if len(text) <= limit else f"{text[: limit // 2 - 1]}…{text[-limit // 2 + 2 :]}"
    font = get_font(findfont(FontProperties()))
    drawn = "".join(c if font.get_char_index(ord(c)) else "\ufffd" for c in cut)
    return drawn.replace("$", r"\$")


def family_styles(families: Iterable[Any]) -> dict[str, tuple[str, str]]:
    """Colour and marker of each family, the largest first; grey for those beyond the palette."""
    named = pd.Series([str(f) for f in families if f is not None and not pd.isna(f)], dtype=object)
    order = sorted(named.value_counts().items(), key=lambda item: (-int(item[1]), str(item[0])))
    pairs = list(zip(PALETTE, MARKERS, strict=True))
    return {str(name): pairs[i] if i < len(pairs) else (GREY, "o") for i, (name, _) in enumerate(order)}


def mark_origin(ax: Axes, table: pd.DataFrame) -> None:
    """Write on the plot that scores are against a simulated brain, or made by code that is no committed state."""
    notes = []
    if "simulated" in table and bool(table["simulated"].fillna(False).any()):
        notes.append("SIMULATED data")
    if "uncommitted_code" in table and bool(table["uncommitted_code"].fillna(False).any()):
        notes.append("uncommitted code")
    if notes:
        lift = 13 if ax.get_title(loc="left") or ax.get_title() else 2  # above the title
        ax.annotate(
            ", ".join(notes), (1, 1), xycoords="axes fraction", xytext=(0, lift), textcoords="offset points",
            ha="right", va="bottom", fontsize=6.5, weight="bold", color=MARK,
        )  # fmt: skip
