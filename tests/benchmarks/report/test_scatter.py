"""The scatter chart: names stand beside the bars, at any width."""

from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest
from benchmark_page import text_of
from benchmark_results import make_benchmark

from edgeclf.benchmarks.report.charts.scatter import draw_scatter
from edgeclf.models.report.drawing import text_width


@pytest.mark.parametrize("width", [360, 880])
@pytest.mark.parametrize("seed", range(6))
def test_no_bar_strikes_through_a_name(width: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    benchmark = make_benchmark(threads=(1,), seed=seed)
    models = []
    for model in benchmark.models:
        # Times that lie as close as on a fast machine.
        rounds = tuple(tuple(2 + 0.4 * rng.random(20) + 0.1 * rng.random()) for _ in range(5))
        median = float(np.median(np.concatenate(rounds)))
        timing = replace(model.timings[0], rounds_ms=rounds, p50_ms=median)
        models.append(replace(model, timings=(timing,)))
    chart = draw_scatter(replace(benchmark, models=tuple(models)), threads=1, width=width)
    root = ElementTree.fromstring(str(chart))
    names = [text for text in root.iter("text") if "halo" in (text.get("class") or "")]
    bars = [bar for bar in root.iter("line") if bar.get("class") == "bar"]
    assert len(names) == len(models)
    assert len(bars) == 2 * len(models)
    for name in names:
        wide = text_width(text_of(name))
        left = float(name.get("x", "")) - (wide if name.get("text-anchor") == "end" else 0)
        base = float(name.get("y", ""))
        for bar in bars:
            x1, x2, y1, y2 = (float(bar.get(key, "")) for key in ("x1", "x2", "y1", "y2"))
            crosses = (
                x1 < left + wide and x2 > left and min(y1, y2) < base and max(y1, y2) > base - 9
            )
            assert not crosses, (text_of(name), bar.attrib)
