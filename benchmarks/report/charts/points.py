"""Points of accuracy against latency, each with its intervals and its name."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import hypot

from ....models.metrics.statistics import Estimate, Interval
from ....models.report.drawing import TEXT, label, line, svg, text_width, x_axis, y_axis
from ....models.report.markup import Markup, join, tag
from ....models.report.scales import Scale, scale_over
from .. import words

_RADIUS = 5
_GAPS = (12, 28, 44, 60)  # between a point and its name
_BAR = 5  # width of a bar with the room beside it


@dataclass(frozen=True)
class Point:
    """A model in the chart.

    Attributes:
        name: of the model.
        ms: median latency.
        ms_interval: of 95 %.
        accuracy: top-1, 0 to 1.
        accuracy_interval: of 95 %.
    """

    name: str
    ms: float
    ms_interval: Interval
    accuracy: float
    accuracy_interval: Interval


@dataclass(frozen=True)
class _Box:
    x: float
    y: float
    width: float
    height: float

    def overlap(self, other: "_Box") -> float:
        """Return the area that both cover."""
        wide = min(self.x + self.width, other.x + other.width) - max(self.x, other.x)
        high = min(self.y + self.height, other.y + other.height) - max(self.y, other.y)
        return max(wide, 0.0) * max(high, 0.0)


def draw_points(
    points: Sequence[Point],
    *,
    width: int,
    colours: Mapping[str, str],
    strong: str | None,
    x_name: str,
    y_name: str,
    title: str,
    further_ms: Sequence[float] = (),
    behind: Callable[[Scale, Scale], Markup] | None = None,
) -> Markup:
    """Return a chart of one point or more.

    Args:
        points: what is drawn.
        width: of the chart, in pixels.
        colours: class of style of each point, by name.
        strong: name of the point whose name stands out.
        x_name: name of the axis of latency.
        y_name: name of the axis of accuracy.
        title: what the chart shows, before what each point says.
        further_ms: latencies that the axis must hold, too.
        behind: draws what lies behind the points, by the two scales.
    """
    height = 380 if width > 400 else 330
    times = [end for point in points for end in (point.ms_interval.low, point.ms_interval.high)]
    shares = [
        end
        for point in points
        for end in (point.accuracy_interval.low, point.accuracy_interval.high)
    ]
    x = scale_over([*times, *further_ms], start=48, end=width - 16, log=True, margin=0.14)
    y = scale_over(shares, start=height - 48, end=32, margin=0.08)
    y = Scale(max(y.low, 0.0), min(y.high, 1.0), y.start, y.end)
    marks = [
        _mark(
            point, x, y, colour=colours[point.name], rings=_hidden_by(points[i + 1 :], point, x, y)
        )
        for i, point in enumerate(points)
    ]
    return svg(
        width,
        height,
        x_axis(x, top=y.end, bottom=y.start, name=x_name),
        y_axis(y, left=x.start, right=x.end, name=y_name),
        *([behind(x, y)] if behind else []),
        *marks,
        _labels(points, x, y, strong=strong),
        label=f"{title}: " + "; ".join(_point_text(point) for point in points),
    )


def _hidden_by(later: Sequence[Point], point: Point, x: Scale, y: Scale) -> int:
    """Return how many points are drawn over this one, which must be larger to be seen."""
    return sum(
        hypot(x(one.ms) - x(point.ms), y(one.accuracy) - y(point.accuracy)) < _RADIUS
        for one in later
    )


def _mark(point: Point, x: Scale, y: Scale, *, colour: str, rings: int) -> Markup:
    at_x, at_y = x(point.ms), y(point.accuracy)
    ms, share = point.ms_interval, point.accuracy_interval
    return tag(
        "g",
        tag("title", _point_text(point)),
        line(x(ms.low), at_y, x(ms.high), at_y, class_="bar"),
        line(at_x, y(share.low), at_x, y(share.high), class_="bar"),
        tag("circle", cx=at_x, cy=at_y, r=_RADIUS + 3 * rings, class_="dot"),
        class_=colour,
    )


def _labels(points: Sequence[Point], x: Scale, y: Scale, *, strong: str | None) -> Markup:
    """Return the names beside their points, placed one after the other where least is covered."""
    taken = [box for point in points for box in _covered(point, x, y)]
    found: list[Markup] = []
    for point in sorted(points, key=lambda one: (one.ms, one.accuracy)):
        at_x, at_y = x(point.ms), y(point.accuracy)
        name = words.shortened(point.name, length=24)
        box = _best_box(at_x, at_y, text_width(name), taken, x=x, y=y)
        taken.append(box)
        # The width is a guess, so a name at the left ends at its point.
        is_left = box.x < at_x
        end = box.x + box.width if is_left else box.x
        centre = box.y + box.height / 2
        if abs(centre - at_y) > 20 or abs(end - at_x) > _GAPS[0]:
            found.append(line(at_x, at_y, end, centre, class_="leader"))
        anchor = "end" if is_left else "start"
        class_ = "strong halo" if point.name == strong else "halo"
        found.append(label(end, centre + 4.5, name, anchor=anchor, class_=class_))
    return join(found)


def _covered(point: Point, x: Scale, y: Scale) -> tuple[_Box, _Box, _Box]:
    """Return what the point and its two bars cover."""
    at_x, at_y = x(point.ms), y(point.accuracy)
    ms, share = point.ms_interval, point.accuracy_interval
    return (
        _Box(at_x - 8, at_y - 8, 16, 16),
        _Box(x(ms.low), at_y - _BAR / 2, x(ms.high) - x(ms.low), _BAR),
        _Box(at_x - _BAR / 2, y(share.high), _BAR, y(share.low) - y(share.high)),
    )


def _best_box(
    at_x: float, at_y: float, width: float, taken: Sequence[_Box], *, x: Scale, y: Scale
) -> _Box:
    height = TEXT + 4
    best, least = _Box(at_x, at_y, width, height), float("inf")
    for side, gap, step in product((1, -1), _GAPS, range(-9, 10)):
        left = at_x + gap if side > 0 else at_x - gap - width
        box = _Box(left, at_y - height / 2 + 9 * step, width, height)
        outside = max(left + width - x.end, x.start - left, 0.0) * 100
        outside += max(box.y + height - y.start, y.end - box.y, 0.0) * 100
        cost = outside + 3 * abs(step) + gap / 2 + (2 if side < 0 else 0)
        cost += sum(box.overlap(other) for other in taken)
        if cost < least:
            best, least = box, cost
    return best


def _point_text(point: Point) -> str:
    accuracy = words.figure(Estimate(point.accuracy, point.accuracy_interval))
    latency = words.figure(Estimate(point.ms, point.ms_interval), at_most=3)
    return f"{point.name}: top-1 {accuracy}, {latency} ms"
