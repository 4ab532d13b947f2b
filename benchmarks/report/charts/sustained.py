"""Latency, temperature and frequency over minutes of continuous work."""

from collections.abc import Callable

from ....models.report.drawing import label, path, svg, x_axis, y_axis
from ....models.report.markup import Markup, join, tag
from ....models.report.scales import Scale, scale_over
from ...results.schema import Moment, Sustained
from .. import words

_HIGH, _GAP = 120, 56

_SERIES: tuple[tuple[str, str, Callable[[Moment], float | None]], ...] = (
    ("latency, ms", "c0", lambda moment: moment.latency_ms),
    ("temperature, °C", "c1", lambda moment: moment.temperature_c),
    ("frequency, MHz", "c2", lambda moment: moment.frequency_mhz),
)


def draw_sustained(series: Sustained, *, width: int) -> Markup | None:
    """Return the series one under the other over the same minutes; None without moments."""
    if len(series.moments) < 2:
        return None
    x = Scale(0.0, series.moments[-1].seconds / 60, 48, width - 52)
    curves = [
        (name, colour, values)
        for name, colour, pick in _SERIES
        if len(values := _values(series, pick)) > 1
    ]
    parts: list[Markup] = []
    top = 36.0
    for index, (name, colour, values) in enumerate(curves):
        y = scale_over([value for _, value in values], start=top + _HIGH, end=top, margin=0.1)
        if index == len(curves) - 1:
            parts.append(x_axis(x, top=36, bottom=top + _HIGH, name="minutes of continuous work"))
        parts.append(y_axis(y, left=x.start, right=x.end, name=name, ticks=4))
        parts.append(_curve(values, x, y, colour=colour))
        top += _HIGH + _GAP
    return svg(
        width,
        top + 6,
        join(parts),
        label=f"{series.name} on {words.count(series.threads, 'thread')}: "
        + "; ".join(
            f"{name} from {values[0][1]:.4g} to {values[-1][1]:.4g}" for name, _, values in curves
        ),
    )


def _values(series: Sustained, pick: Callable[[Moment], float | None]) -> list[tuple[float, float]]:
    found = [(moment.seconds / 60, pick(moment)) for moment in series.moments]
    return [(minutes, value) for minutes, value in found if value is not None]


def _curve(values: list[tuple[float, float]], x: Scale, y: Scale, *, colour: str) -> Markup:
    last = values[-1]
    return tag(
        "g",
        tag("path", d=path([(x(minutes), y(value)) for minutes, value in values]), class_="curve"),
        tag("circle", cx=x(last[0]), cy=y(last[1]), r=3.5, class_="dot"),
        label(x.end + 8, y(last[1]) + 4.5, f"{last[1]:.{4 if last[1] >= 1000 else 3}g}"),
        class_=colour,
    )
