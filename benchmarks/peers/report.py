"""What the comparison says: a row per entry, as Markdown for people."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from edgeclf.benchmarks.peers.comparison import Comparison, Round
from edgeclf.benchmarks.results.estimates import median, percentile_estimate, ratio_estimate
from edgeclf.models.metrics.statistics import Estimate


@dataclass(frozen=True)
class Row:
    """What was measured of an entry on some number of threads.

    Attributes:
        version: its runtime, with the version.
        queries: timed, over all rounds.
        p50_ms: their median.
        p90_ms: the early-stopping estimate of the 90th percentile; None below 64 queries.
        ratio: of the medians to the reference's, round by round, with the interval of 95 %; None
            without a second round or without a reference.
        load_ms: from importing the runtime to a model that is ready; median over the rounds.
        first_ms: the first inference; the same.
        peak_bytes: peak memory of its process; the largest of the rounds.
        cores: processor time by time, 1 for one busy core.
        images: how many different ones it was asked.
        top1: share of them whose class it named; None with drawn weights.
        agreement: share of them on which it names the class that Keras names in float32; None of
            another network.
    """

    version: str
    queries: int
    p50_ms: float
    p90_ms: float | None
    ratio: Estimate | None
    load_ms: float
    first_ms: float
    peak_bytes: int
    cores: float
    images: int
    top1: float | None
    agreement: float | None


def rows_of(
    comparison: Comparison, *, reference: str, truth: Sequence[int], float_guess: Sequence[int]
) -> dict[str, Row]:
    """Return a row for each entry that finished.

    Args:
        comparison: of one number of threads.
        reference: the entry that ratios are to.
        truth: class index of each image.
        float_guess: the class index that Keras names in float32.
    """
    return {
        name: _row(rounds, comparison.rounds_of.get(reference), truth, float_guess)
        for name, rounds in comparison.rounds_of.items()
    }


def _row(
    rounds: list[Round],
    reference: list[Round] | None,
    truth: Sequence[int],
    float_guess: Sequence[int],
) -> Row:
    ms = np.concatenate([round_.ms for round_ in rounds])
    best = {place: guess for round_ in rounds for place, guess in round_.best.items()}
    ratio = None
    if reference is not None and len(rounds) > 1:
        ratio = ratio_estimate(
            [round_.ms for round_ in rounds], reference=[round_.ms for round_ in reference]
        )
    return Row(
        version=rounds[0].version,
        queries=len(ms),
        p50_ms=median(ms),
        p90_ms=percentile_estimate(ms, percentile=0.9),
        ratio=ratio,
        load_ms=float(np.median([round_.load_ms for round_ in rounds])),
        first_ms=float(np.median([round_.first_ms for round_ in rounds])),
        peak_bytes=max(round_.peak_bytes for round_ in rounds),
        cores=sum(round_.cpu_ms for round_ in rounds) / float(ms.sum()),
        images=len(best),
        top1=sum(truth[place] == guess for place, guess in best.items()) / len(best),
        agreement=sum(float_guess[place] == guess for place, guess in best.items()) / len(best),
    )


def of_another_network(row: Row, *, drawn: bool) -> Row:
    """Return `row` without the figures that say nothing of another network.

    Args:
        row: of an entry with other weights than the float model's.
        drawn: whether these are random.
    """
    return replace(row, agreement=None, top1=None if drawn else row.top1)


def markdown_table(
    titles: Mapping[str, str],
    rows: Mapping[int, Mapping[str, Row]],
    *,
    failures: Mapping[int, Mapping[str, str]],
    sizes: Mapping[str, int],
    absent: Mapping[str, str],
    reference: str,
) -> str:
    """Return the table, a line per entry; load time and memory are those of the fewest threads.

    Args:
        titles: of the entries, in the order of the table.
        rows: by the number of threads.
        failures: the same, why others have none.
        sizes: of the model files in bytes.
        absent: by their titles, why others do not take part.
        reference: the entry that ratios are to.
    """
    header = ["", "top-1", "agreement"]
    for threads in rows:
        header += [f"{threads} thread{'s' * (threads > 1)}: p50 (p90) ms", "to ours"]
    header += ["load ms", "peak MB", "file MB"]
    lines = [header, ["---"] * len(header)]
    for name, title in titles.items():
        done = {threads: each[name] for threads, each in rows.items() if name in each}
        shown = f"**{title}**" if name == reference else title
        if not done:
            lines.append([f"{shown}: {failures[min(rows)][name]}", *["—"] * (len(header) - 1)])
            continue
        first = done[min(done)]
        cells = [shown, _share(first.top1), _share(first.agreement)]
        for threads in rows:
            cells += _latency_cells(done.get(threads), failures[threads].get(name, ""))
        lines.append(
            [
                *cells,
                f"{first.load_ms:.0f}",
                f"{first.peak_bytes / 1e6:.0f}",
                f"{sizes[name] / 1e6:.1f}",
            ]
        )
    lines += [[f"{title}: {why}", *["—"] * (len(header) - 1)] for title, why in absent.items()]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _share(share: float | None) -> str:
    return "—" if share is None else f"{share:.3f}"


def _latency_cells(row: Row | None, failure: str) -> list[str]:
    if row is None:
        return [failure, "—"]
    p90 = "—" if row.p90_ms is None else f"{row.p90_ms:.1f}"
    ratio = "—"
    if row.ratio is not None:
        low, high = row.ratio.interval.low, row.ratio.interval.high
        ratio = f"{row.ratio.value:.2f} ({low:.2f} to {high:.2f})"
    return [f"{row.p50_ms:.1f} ({p90})", ratio]
