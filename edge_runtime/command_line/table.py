"""Plain tables for a terminal."""

from collections.abc import Sequence

from ..text import printable


def format_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return the rows in aligned columns under `header`: text to the left, figures to the right.

    A column counts as figures when each of its cells starts with a digit, a sign or a dash.
    """
    rows = [[printable(cell) for cell in row] for row in rows]
    columns = list(zip(header, *rows, strict=True))
    widths = [max(len(cell) for cell in column) for column in columns]
    figures = [
        bool(rows) and all(cell[:1] in set("0123456789+-−—") for cell in column[1:])
        for column in columns
    ]
    lines = [list(header), ["─" * width for width in widths], *map(list, rows)]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if figure else cell.ljust(width)
            for cell, width, figure in zip(line, widths, figures, strict=True)
        ).rstrip()
        for line in lines
    )
