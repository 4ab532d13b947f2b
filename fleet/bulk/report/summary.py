"""What the rows of a bulk run say together, part by part: of any number of rows."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow
import pyarrow.compute
import pyarrow.parquet
from numpy.typing import NDArray

from ..output import OutputFolder

BINS = 20  # of 0 to 1
SHOWN = 12
_COLUMNS = ["path", "sha256", "label", "score", "novelty", "novelty_reason", "modified", "error"]
_MOST_REASONS = 1000
_compute: Any = pyarrow.compute  # its functions are made when it is imported


@dataclass
class Month:
    """The images of a month.

    Attributes:
        images: how many.
        score: sum of their scores.
        unknown: those that novelty makes unknown.
        novelty: by novelty, 0 to 1 in `BINS` bins; all 0 of a model that cannot tell.
    """

    images: int = 0
    score: float = 0.0
    unknown: int = 0
    novelty: NDArray[np.int64] = field(default_factory=lambda: np.zeros(BINS, np.int64))

    @property
    def median_novelty(self) -> float | None:
        """The median, as if the images of a bin were spread evenly over it."""
        if not self.novelty.any():
            return None
        shares = np.concatenate([[0.0], np.cumsum(self.novelty) / self.novelty.sum()])
        return float(np.interp(0.5, shares, np.linspace(0, 1, BINS + 1)))


@dataclass
class Summary:
    """Counts over the rows, and those that stand out.

    Attributes:
        labels: rows by label.
        months: rows by month (`2026-11`) and label; only of images whose time is known.
        drift: scores and novelty of each month.
        errors: rows by error.
        scores: rows by score, 0 to 1 in `BINS` bins.
        novelty: rows by novelty, in as many; all 0 of a model that cannot tell.
        uncertain: rows with the lowest scores, lowest first.
        foreign: rows with the highest novelty, highest first.
    """

    labels: Counter[str] = field(default_factory=Counter)
    months: Counter[tuple[str, str]] = field(default_factory=Counter)
    drift: dict[str, Month] = field(default_factory=dict)
    errors: Counter[str] = field(default_factory=Counter)
    scores: NDArray[np.int64] = field(default_factory=lambda: np.zeros(BINS, np.int64))
    novelty: NDArray[np.int64] = field(default_factory=lambda: np.zeros(BINS, np.int64))
    uncertain: list[dict[str, Any]] = field(default_factory=list)
    foreign: list[dict[str, Any]] = field(default_factory=list)


def summarize(out: OutputFolder, parts: Sequence[str]) -> Summary:
    """Return what the rows of the parts say.

    Args:
        out: the output folder.
        parts: names of the parts in it.
    """
    summary = Summary()
    for name in parts:
        with out.open(name) as opened:
            _add(summary, pyarrow.parquet.read_table(opened, columns=_COLUMNS))
    return summary


def _add(summary: Summary, table: Any) -> None:
    failed = table.filter(_compute.is_valid(table["error"]))
    rows = table.filter(_compute.is_null(table["error"]))
    for one in _compute.value_counts(failed["error"]).to_pylist():
        summary.errors[one["values"]] += one["counts"]
    if len(summary.errors) > _MOST_REASONS:
        kept = Counter(dict(summary.errors.most_common(_MOST_REASONS // 2)))
        kept["others"] += summary.errors.total() - kept.total()
        summary.errors = kept
    for one in _compute.value_counts(rows["label"]).to_pylist():
        summary.labels[one["values"]] += one["counts"]
    dated = rows.filter(_compute.is_valid(rows["modified"]))
    months = dated.set_column(0, "month", _compute.utf8_slice_codeunits(dated["modified"], 0, 7))
    for one in months.group_by(["month", "label"]).aggregate([([], "count_all")]).to_pylist():
        summary.months[one["month"], one["label"]] += one["count_all"]
    for name in _compute.unique(months["month"]).to_pylist():
        images = months.filter(_compute.equal(months["month"], name))
        month = summary.drift.setdefault(name, Month())
        month.images += len(images)
        month.score += float(_compute.sum(images["score"]).as_py())
        month.unknown += len(images) - images["novelty_reason"].null_count
        month.novelty += _histogram(images["novelty"].drop_null())
    summary.scores += _histogram(rows["score"])
    known = rows.filter(_compute.is_valid(rows["novelty"]))
    summary.novelty += _histogram(known["novelty"])
    summary.uncertain = _first(summary.uncertain, rows, "score", "ascending")
    summary.foreign = _first(summary.foreign, known, "novelty", "descending")


def _histogram(column: Any) -> NDArray[np.int64]:
    return np.histogram(column.to_numpy(), BINS, (0, 1))[0].astype(np.int64)


def _first(found: list[dict[str, Any]], rows: Any, key: str, order: str) -> list[dict[str, Any]]:
    """Return the first of what was found before and of `rows`; copies of an image count once."""
    if not len(rows):  # of which pyarrow cannot select
        return found
    best = rows.take(
        _compute.select_k_unstable(rows, SHOWN * 2, [(key, order), ("path", "ascending")])
    )
    sign = 1 if order == "ascending" else -1
    ordered = sorted([*found, *best.to_pylist()], key=lambda row: (sign * row[key], row["path"]))
    distinct: dict[str, dict[str, Any]] = {}
    for row in ordered:
        distinct.setdefault(row["sha256"], row)
    return list(distinct.values())[:SHOWN]
