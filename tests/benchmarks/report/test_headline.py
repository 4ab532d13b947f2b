"""The headline of a benchmark's report."""

from dataclasses import replace
from xml.etree import ElementTree

import pytest
from benchmark_page import digits_of, headline_of, parsed, text_of
from benchmark_results import make_benchmark

from edgeclf.benchmarks.report.markdown import markdown
from edgeclf.benchmarks.report.page import page
from edgeclf.benchmarks.results.schema import Benchmark
from edgeclf.benchmarks.results.verdict import decide


def test_the_verdict_stands_first(benchmark: Benchmark, root: ElementTree.Element) -> None:
    verdict = benchmark.verdict
    assert verdict
    answer = headline_of(root)
    assert answer.startswith(
        "Ship int8-qat: as fast as any of those without a significant loss, it "
    )
    points = f"{verdict.drop.points:{digits_of(verdict.drop.interval)}}"
    assert f"loses {points} points of top-1 accuracy [" in answer
    assert f"{1 / verdict.ratio.value:.2f} times as fast as keras [" in answer
    assert answer.endswith(f"{100 * verdict.bytes_ratio:.0f} % of its size.")
    assert f"**{answer}**" == markdown(benchmark).splitlines()[2].replace("\\", "")


@pytest.mark.parametrize(
    ("ms", "points", "shipped"),
    [(12.3, 0.0, "int8"), (12.3, 0.5, "int8-qat"), (12.4, 0.0, "int8-qat")],
)
def test_of_two_as_fast_the_better_is_shipped(ms: float, points: float, shipped: str) -> None:
    answer = make_benchmark(threads=(1,))
    changed = []
    for model in answer.models:
        if model.name.startswith("int8"):
            is_first = model.name == "int8"
            assert model.against
            drop = replace(model.against.drop, points=points if is_first else 0.1, p_value=1.0)
            timing = replace(model.timings[0], p50_ms=ms if is_first else 12.1)
            against = replace(model.against, drop=drop)
            changed.append(replace(model, against=against, timings=(timing,)))
        else:
            changed.append(model)
    verdict = decide(changed)
    assert verdict
    assert verdict.model == shipped


def test_a_gain_is_reported_as_one(benchmark: Benchmark) -> None:
    verdict = benchmark.verdict
    assert verdict
    drop = replace(verdict.drop, points=-0.5, interval=type(verdict.drop.interval)(-1.5, 0.25))
    gained = replace(benchmark, verdict=replace(verdict, drop=drop))
    assert "gains 0.5 points of top-1 accuracy [−0.2, 1.5]" in headline_of(parsed(page(gained)))


def test_nothing_passes_is_said(benchmark: Benchmark) -> None:
    verdict = benchmark.verdict
    assert verdict
    answer = headline_of(parsed(page(replace(benchmark, verdict=replace(verdict, loses=True)))))
    assert answer.startswith("Nothing passes: every model loses significantly against keras")


def test_a_void_run_says_so_first(benchmark: Benchmark) -> None:
    void = replace(benchmark, void="the machine throttled: under-voltage")
    answer = headline_of(parsed(page(void)))
    assert answer == "Void, the latencies do not count: the machine throttled: under-voltage."
    assert markdown(void).splitlines()[2] == f"**{answer}**"


def test_a_busy_machine_is_warned_of(benchmark: Benchmark, root: ElementTree.Element) -> None:
    busy = replace(benchmark, machine=replace(benchmark.machine, background_load=1.5))
    line = "Other processes kept 1.5 of 4 cores busy"
    assert line in text_of(parsed(page(busy)))
    assert line in markdown(busy)
    assert line not in text_of(root)
