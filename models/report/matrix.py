"""A matrix over the classes, truth in rows."""

from collections.abc import Callable

from .drawing import HALF, THIRD, WIDE, label, svg, text_width
from .figures import shortened
from .markup import Markup, tag

MOST_CLASSES = 30  # more cannot be read
_LETTERS = 14

# From row, column, left and upper end and side to a cell.
DrawCell = Callable[[int, int, float, float, float], Markup]


def matrix_width(classes: int) -> int:
    """Return how wide the drawing is."""
    return THIRD if classes <= 5 else HALF if classes <= 10 else WIDE


def draw_matrix(labels: tuple[str, ...], draw_cell: DrawCell, *, title: str, text: str) -> Markup:
    """Return the matrix.

    Args:
        labels: the classes, at most `MOST_CLASSES`.
        draw_cell: draws each.
        title: stands above it.
        text: what it shows, for those who cannot see it.
    """
    width = matrix_width(len(labels))
    names = [shortened(name, length=_LETTERS) for name in labels]
    left = min(max(map(text_width, names)) + 10, 130)
    head = 40 + min(max(map(text_width, names)), 130) * 0.72
    side = min((width - left - 40) / len(labels), 44)
    places = range(len(labels))
    cells = [
        draw_cell(i, j, left + j * side, head + i * side, side) for i in places for j in places
    ]
    rows = [
        label(left - 6, head + (i + 0.5) * side + 4.5, name, anchor="end")
        for i, name in enumerate(names)
    ]
    columns = [
        tag(
            "text",
            name,
            transform=f"translate({left + (j + 0.5) * side + 3:.1f} {head - 6:.1f}) rotate(-45)",
        )
        for j, name in enumerate(names)
    ]
    height = head + len(labels) * side + 8
    return svg(
        width, height, label(0, 18, title, class_="head"), *rows, *columns, *cells, label=text
    )


def cell(
    x: float, y: float, side: float, *, text: str, about: str, strength: float | None, kind: str
) -> Markup:
    """Return a cell.

    Args:
        x: its left end.
        y: its upper end.
        side: its width and height.
        text: what stands in it.
        about: what it says, in words.
        strength: how full its colour is, 0 to 1; None for no colour.
        kind: classes of style; `better` and `worse` have colours, `diagonal` a border.
    """
    parts = [
        tag("title", about),
        tag(
            "rect", x=x + 1, y=y + 1, width=side - 2, height=side - 2, class_="cell",
            fill_opacity=None if strength is None else f"{0.15 + 0.6 * strength:.2f}",
        ),
    ]  # fmt: skip
    if text:
        parts.append(label(x + side / 2, y + side / 2 + 4.5, text, anchor="middle", class_="count"))
    return tag("g", *parts, class_=kind or None)
