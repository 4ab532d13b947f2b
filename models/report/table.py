"""Tables, and what shows them as HTML."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from .markup import Markup, join, tag

_LONG = 40  # letters of a cell that may be broken
_SHORT = 20  # rows that are printed on one page
_WIDE = 110  # letters beside each other; wider ones have their intervals below the figures


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


def draw_table(table: Table, *, shipped: str | None = None) -> Markup:
    """Return the table; the row that begins with `shipped` stands out."""
    if not table.rows:
        return Markup()
    figures = [all(_is_figure(cell) for cell in column) for column in zip(*table.rows, strict=True)]
    figures[0] = False  # names, even if they are 0 to 9
    head = [
        tag("th", name, scope="col", class_="figure" if figure else None)
        for name, figure in zip(table.header, figures, strict=True)
    ]
    body = [
        tag(
            "tr",
            tag("th", row[0], scope="row"),
            *(
                _cell(cell, figure=figure)
                for cell, figure in zip(row[1:], figures[1:], strict=True)
            ),
            class_="shipped" if row[0] == shipped else None,
        )
        for row in table.rows
    ]
    widest = [max(map(len, column)) for column in zip(table.header, *table.rows, strict=True)]
    return tag(
        "div",
        tag(
            "div",
            tag(
                "table",
                tag("caption", table.title),
                tag("thead", tag("tr", *head)) if any(table.header) else "",
                tag("tbody", *body),
                class_="stacked" if sum(widest) > _WIDE else None,
            ),
            class_="scroll",
            role="region",
            tabindex="0",
            aria_label=table.title,
        ),
        tag("p", table.note, class_="note") if table.note else "",
        class_="table short" if len(table.rows) <= _SHORT else "table",
    )


def _cell(cell: str, *, figure: bool) -> Markup:
    """Return a cell; of a figure, the interval and what follows stand back."""
    if not figure:
        return tag("td", cell, class_="long" if len(cell) > _LONG else None)
    value, *rest = re.split(r" (?=\[)|(?<=\]) ", cell)
    behind = [join([" ", tag("span", part, class_="interval")]) for part in rest]
    return tag("td", value, *behind, class_="figure")


def _is_figure(cell: str) -> bool:
    """As in the terminal's tables: what starts with a digit, a sign or a dash."""
    return cell[:1] in set("0123456789+−—<") and len(cell) < _LONG
