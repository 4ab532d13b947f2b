"""Tables, and what a page must know to show them."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_LONG = 40  # letters of a cell that may be broken
_SHORT = 20  # rows that are printed on one page
_WIDE = 110  # letters beside each other; wider ones have their intervals below the figures


@dataclass(frozen=True)
class Cell:
    """A cell of a page's table.

    Attributes:
        kind: its class of style: `figure`, `long` or empty.
        value: what stands in it.
        intervals: what stands back behind a figure: its interval and what follows that.
    """

    kind: str
    value: str
    intervals: Sequence[str] = ()


@dataclass(frozen=True)
class Table:
    """Rows of text under a header.

    Attributes:
        title: what it holds.
        header: names of the columns, with their units.
        rows: cells, as many as the header has.
        note: how to read it; empty if that is plain.
    """

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""

    @property
    def has_header(self) -> bool:
        """Whether any column has a name."""
        return any(self.header)

    @property
    def is_short(self) -> bool:
        """Whether it is printed on one page."""
        return len(self.rows) <= _SHORT

    @property
    def is_wide(self) -> bool:
        """Whether its intervals stand below the figures."""
        columns = zip(self.header, *self.rows, strict=True)
        return sum(max(map(len, column)) for column in columns) > _WIDE

    @property
    def columns(self) -> list[tuple[str, bool]]:
        """The names of the columns, each with whether it holds figures."""
        figures = [all(map(_is_figure, column)) for column in zip(*self.rows, strict=True)]
        # The first holds names, even if they are 0 to 9.
        return list(zip(self.header, [False, *figures[1:]], strict=True))

    @property
    def body(self) -> Iterator[tuple[str, list[Cell]]]:
        """The rows, each with its name and its cells."""
        figures = [is_figure for _, is_figure in self.columns[1:]]
        for name, *texts in self.rows:
            yield name, [_cell(*each) for each in zip(texts, figures, strict=True)]


def _cell(text: str, is_figure: bool) -> Cell:
    if not is_figure:
        return Cell("long" if len(text) > _LONG else "", text)
    value, *intervals = re.split(r" (?=\[)|(?<=\]) ", text)
    return Cell("figure", value, intervals)


def _is_figure(cell: str) -> bool:
    """As in the terminal's tables: what starts with a digit, a sign or a dash."""
    return cell[:1] in set("0123456789+−—<") and len(cell) < _LONG
