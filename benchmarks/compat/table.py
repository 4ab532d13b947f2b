"""The compatibility table, for a terminal and in Markdown."""

from collections.abc import Mapping, Sequence

from edgeclf.edge_runtime.command_line.table import format_table

from .cases import Case
from .comparison import Difference, Outcome
from .rows import BIT_EQUAL, LAST_BIT, Row

_LONGEST_REASON = 150

# By the row's name, then by the case's; what was not run is missing.
Outcomes = Mapping[str, Mapping[str, Outcome]]


def text_table(rows: Sequence[Row], cases: Sequence[Case], outcomes: Outcomes) -> str:
    """Return the table with its footnotes for a terminal."""
    header, lines = _lines(rows, cases, outcomes)
    return "\n".join([format_table(header, lines), "", *footnotes(rows, outcomes)]).rstrip()


def markdown_table(rows: Sequence[Row], cases: Sequence[Case], outcomes: Outcomes) -> str:
    """Return the table with its footnotes in Markdown."""
    header, lines = _lines(rows, cases, outcomes)
    table = [header, ["---"] * len(header), *lines]
    notes = [f"- {note}" for note in footnotes(rows, outcomes)]
    return "\n".join([*(f"| {' | '.join(line)} |" for line in table), "", *notes]).rstrip()


def footnotes(rows: Sequence[Row], outcomes: Outcomes) -> list[str]:
    """Return why files were refused and runtimes are unavailable, and what milliseconds are."""
    notes = []
    for row in rows:
        found = outcomes.get(row.name, {})
        reasons = {one.reason: one.state for one in found.values() if one.reason}
        for reason, state in reasons.items():
            short = reason if len(reason) <= _LONGEST_REASON else f"{reason[:_LONGEST_REASON]}…"
            notes.append(f"{row.name}: {state}: {short}")
        if row.note and any(one.ms is not None for one in found.values()):
            notes.append(f"{row.name}: the milliseconds are {row.note}")
    return notes


def _lines(
    rows: Sequence[Row], cases: Sequence[Case], outcomes: Outcomes
) -> tuple[list[str], list[list[str]]]:
    timed = _timed(cases)
    header = ["runtime", *(case.name for case in cases), f"ms of {timed.name}"]
    lines = []
    for row in rows:
        found = outcomes.get(row.name, {})
        cells = [_cell(found.get(case.name)) for case in cases]
        one = found.get(timed.name)
        lines.append([row.name, *cells, "—" if one is None or one.ms is None else f"{one.ms:.2f}"])
    return header, lines


def _timed(cases: Sequence[Case]) -> Case:
    """Return whose milliseconds are shown: the largest images, one-headed, int8 first."""
    plain = [case for case in cases if len(case.tensors) == 1] or list(cases)
    return max(plain, key=lambda case: (case.shape[1], case.recipe == "int8"))


def _cell(one: Outcome | None) -> str:
    if one is None:
        return "—"
    if not one.differences:
        text = one.state
    else:
        texts = list(dict.fromkeys(_difference(each) for each in one.differences))
        text = texts[0] if len(texts) == 1 else "; ".join(map(_difference, one.differences))
    return text if one.passed else f"{text} (expected {one.expected})"


def _difference(one: Difference) -> str:
    if one.state in {BIT_EQUAL, LAST_BIT}:
        return one.state
    return f"{one.state} ({one.largest:.2g})"


def deviations(outcomes: Outcomes) -> list[str]:
    """Return a line for each outcome that is not as it must be."""
    return [
        f"{row}: {case}: {_cell(one)}" + (f": {one.reason}" if one.reason else "")
        for row, found in outcomes.items()
        for case, one in found.items()
        if not one.passed
    ]
