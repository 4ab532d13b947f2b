"""How the times of all queries are distributed."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ....models.report.drawing import label, line, path, svg, x_axis
from ....models.report.markup import Markup, join, tag
from ....models.report.scales import Scale, scale_over
from ...results.schema import Benchmark, Model, Timing
from .. import words
from .colours import colour_classes

_PLACES = 200


def draw_distributions(benchmark: Benchmark, *, width: int) -> Markup | None:
    """Return a ridge per model and number of threads on a common logarithmic axis, which holds
    every query; None if none was timed."""
    groups = [
        (threads, timed)
        for threads in benchmark.settings.threads
        if (timed := _timed(benchmark, threads))
    ]
    if not groups:
        return None
    narrow = width < 500
    row, head = (62, 40) if narrow else (44, 48)
    bottom = sum(head + row * len(timed) for _, timed in groups)
    times = [
        time
        for _, timed in groups
        for _, t in timed
        for r in t.rounds_ms
        for time in (min(r), max(r))
    ]
    start, end = (4, width - 8) if narrow else (120, width - 190)
    x = scale_over(times, start=start, end=end, log=True, margin=0.02)
    colours = colour_classes(benchmark)
    parts: list[Markup] = []
    y = 0.0
    for threads, timed in groups:
        parts.append(label(0, y + head - 14, words.count(threads, "thread"), class_="head"))
        if not narrow:
            parts += _columns(
                [f"{name} ms" for name, _ in _parts(timed[0][1])], y + head - 14, width
            )
        y += head
        for model, timing in timed:
            y += row
            parts.append(_ridge(model, timing, x, base=y - 8, high=26, colour=colours[model.name]))
            parts.append(_row_text(model, timing, y=y - 8, row=row, width=width, narrow=narrow))
    name = "latency of a query, ms (logarithmic)"
    return svg(
        width,
        bottom + 48,
        x_axis(x, top=head, bottom=bottom, name=name, ticks=5 if narrow else 9),
        *parts,
        label="Latency of all queries: "
        + "; ".join(
            f"{model.name}, {words.count(threads, 'thread')}: {_figures(timing)}"
            for threads, timed in groups
            for model, timing in timed
        ),
    )


def _timed(benchmark: Benchmark, threads: int) -> list[tuple[Model, Timing]]:
    return [
        (model, timing)
        for model in benchmark.models
        for timing in model.timings
        if timing.threads == threads
    ]


def _ridge(
    model: Model, timing: Timing, x: Scale, *, base: float, high: float, colour: str
) -> Markup:
    times = np.sort(np.concatenate([np.asarray(one) for one in timing.rounds_ms]))
    places, density = _density(times)
    outline = [(x(t), base - high * d) for t, d in zip(places, density, strict=True)]
    marks = [
        line(x(value), base - tall, x(value), base + 4, class_=class_)
        for value, tall, class_ in (
            (timing.p50_ms, high + 2, "p50"),
            (timing.p90_ms, 13, "p90"),
            (timing.p99_ms, 9, "p90"),
        )
        if value is not None
    ]
    # The thin end of a ridge cannot be seen; the slowest hundredth are dots.
    tail = times[-max(1, len(times) // 100) :]
    dots = [tag("circle", cx=x(float(time)), cy=base, r=1.8, class_="dot") for time in tail]
    return tag(
        "g",
        tag("title", f"{model.name}: {_figures(timing)}"),
        tag("path", d=path([(x(times[0]), base), *outline, (x(times[-1]), base)], closed=True),
            class_="ridge"),
        *marks,
        *dots,
        class_=colour,
    )  # fmt: skip


def _density(times: NDArray[np.float64]) -> tuple[list[float], list[float]]:
    """Return times and the density of their logarithms there, its peak 1.

    A Gaussian kernel over a fine histogram, as wide as Silverman's rule: Density estimation for
    statistics and data analysis (1986), 3.31.
    """
    logs = np.log(times)
    quarter, three = np.percentile(logs, [25, 75])
    spread = min(float(logs.std()), float(three - quarter) / 1.34) or float(logs.std()) or 0.01
    width = 0.9 * spread * len(logs) ** -0.2
    edges = np.linspace(logs[0] - 3 * width, logs[-1] + 3 * width, 1 + _PLACES * 4)
    counts = np.histogram(logs, edges)[0]
    middles = (edges[1:] + edges[:-1]) / 2
    places = np.linspace(logs[0], logs[-1], _PLACES) if logs[-1] > logs[0] else logs[:1]
    kernel = np.exp(-0.5 * ((places[:, None] - middles[None]) / width) ** 2)
    density = kernel @ counts
    return np.exp(places).tolist(), (density / density.max()).tolist()


def _row_text(
    model: Model, timing: Timing, *, y: float, row: float, width: int, narrow: bool
) -> Markup:
    name = words.shortened(model.name, length=15)
    if narrow:
        top = y - row + 26
        return join(
            [
                label(0, top, name, class_="halo"),
                label(width, top, _figures(timing), anchor="end", class_="tick halo"),
            ]
        )
    return join(
        [
            label(0, y - 2, name),
            *_columns([value for _, value in _parts(timing)], y - 2, width),
        ]
    )


def _columns(cells: Sequence[str], y: float, width: int) -> list[Markup]:
    return [
        label(width - 60 * (len(cells) - 1 - i), y, cell, anchor="end", class_="tick")
        for i, cell in enumerate(cells)
    ]


def _parts(timing: Timing) -> list[tuple[str, str]]:
    return [
        ("p50", words.milliseconds(timing.p50_ms)),
        ("p90", words.milliseconds(timing.p90_ms)),
        ("p99", words.milliseconds(timing.p99_ms)),
    ]


def _figures(timing: Timing) -> str:
    return ", ".join(f"{name} {value}" for name, value in _parts(timing)) + " ms"
