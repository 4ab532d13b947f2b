"""What all charts are drawn with."""

from collections.abc import Callable, Sequence

from .markup import Markup, join, tag
from .scales import Scale, tick_label

# A chart is drawn twice where it is not made of panels: for a page and for a telephone.
WIDE, NARROW = 880, 360
HALF, THIRD = 420, 273
TEXT = 13  # height of letters in pixels; style.css sets the same


def svg(width: float, height: float, *parts: str, label: str) -> Markup:
    """Return a drawing that scales with the page; `label` tells what it shows."""
    return tag(
        "svg",
        *parts,
        viewBox=f"0 0 {width:.0f} {height:.0f}",
        width=width,
        height=height,
        role="img",
        aria_label=label,
    )


def both_widths(draw: Callable[..., Markup | None]) -> tuple[Markup, Markup] | None:
    """Return what `draw(width=…)` draws for wide screens and for narrow ones, of which one is seen;
    None if it draws nothing."""
    wide, narrow = draw(width=WIDE), draw(width=NARROW)
    return (wide, narrow) if wide and narrow else None


def label(x: float, y: float, text: str, *, anchor: str = "start", class_: str = "") -> Markup:
    """Return a text that stands at (x, y)."""
    return tag("text", text, x=x, y=y, text_anchor=anchor, class_=class_ or None)


def line(x1: float, y1: float, x2: float, y2: float, *, class_: str) -> Markup:
    """Return a straight line."""
    return tag("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)


def text_width(text: str) -> float:
    """Return about how wide a text is, a little too wide rather than too narrow."""
    return sum(0.92 if c in "mwMW@%" else 0.36 if c in "iljtfr .,'|" else 0.62 for c in text) * TEXT


def x_axis(
    scale: Scale, *, top: float, bottom: float, name: str, signed: bool = False, ticks: int = 6
) -> Markup:
    """Return the axis below a chart: hairlines, ticks, and its name with the unit."""
    values = scale.ticks(ticks)
    parts = [line(scale(value), top, scale(value), bottom, class_="grid") for value in values]
    parts += [
        label(
            scale(value), bottom + 18, tick_label(value, values, signed=signed),
            anchor="middle", class_="tick",
        )
        for value in values
    ]  # fmt: skip
    middle = (scale.start + scale.end) / 2
    return join([*parts, label(middle, bottom + 38, name, anchor="middle", class_="axis")])


def y_axis(scale: Scale, *, left: float, right: float, name: str, ticks: int = 6) -> Markup:
    """Return the axis at the left of a chart; its name stands above it."""
    values = scale.ticks(ticks)
    parts = [line(left, scale(value), right, scale(value), class_="grid") for value in values]
    parts += [
        label(
            left - 8, scale(value) + 4, tick_label(value, values),
            anchor="end", class_="tick",
        )
        for value in values
    ]  # fmt: skip
    return join([*parts, label(0, scale.end - 16, name, class_="axis")])


def path(points: Sequence[tuple[float, float]], *, closed: bool = False) -> str:
    """Return the `d` of a path through the points."""
    text = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f"M{text}{'Z' if closed else ''}"
