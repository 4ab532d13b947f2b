"""The figures of a benchmark's report are those of its JSON."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from benchmark_page import digits_of, markdown_table, parsed, table_of
from benchmark_results import make_benchmark
from schemas import valid_file

from edgeclf.benchmarks.report.charts.scatter import p50_interval
from edgeclf.benchmarks.report.markdown import markdown
from edgeclf.benchmarks.report.page import page
from edgeclf.benchmarks.report.terminal import benchmark_table
from edgeclf.benchmarks.results.reading import read_benchmark
from edgeclf.benchmarks.results.schema import Benchmark, Model, write_benchmark
from edgeclf.models.metrics.accuracy import measure_metrics


def timings_of(model: Model) -> list[list[str]]:
    """Return the latency table's cells for the model, formatted apart from the report's code."""
    rows = []
    for timing in model.timings:
        figures = [timing.p50_ms, timing.p90_ms, timing.p99_ms, timing.mean_ms]
        ratio = timing.ratio
        rows.append(
            [model.name, str(timing.threads), str(timing.queries)]
            + ["—" if figure is None else f"{figure:.2f}" for figure in figures]
            + [f"{timing.throughput:.1f}"]
            + [
                f"{1 / ratio.value:.2f}× "
                f"[{1 / ratio.interval.high:.2f}, {1 / ratio.interval.low:.2f}]"
                if ratio
                else "—"
            ]
        )
    return rows


def test_the_figures_are_those_of_the_json(benchmark: Benchmark, tmp_path: Path) -> None:
    write_benchmark(tmp_path / "b.json", benchmark)
    result_file = read_benchmark(tmp_path / "b.json")
    text, root = markdown(result_file), parsed(page(result_file))
    for tables in (lambda title: table_of(root, title), lambda title: markdown_table(text, title)):
        rows = tables("Accuracy")[1:]
        assert [row[0] for row in rows] == [model.name for model in benchmark.models]
        for row, model in zip(rows, benchmark.models, strict=True):
            assert model.metrics
            top1 = model.metrics.accuracy
            low, high = top1.interval.low, top1.interval.high
            digits = digits_of(top1.interval)
            assert row[1] == f"{top1.value:{digits}} [{low:{digits}}, {high:{digits}}]"
            assert row[2] == "—"
            for cell, one in (
                (row[3], model.metrics.macro_f1),
                (row[5], model.metrics.calibration_error),
            ):
                assert cell.startswith(f"{one.value:{digits_of(one.interval)}} [")
        expected = [row for model in benchmark.models for row in timings_of(model)]
        assert sorted(tables("Latency")[1:]) == sorted(expected)
        for row, model in zip(
            tables("Against the reference")[1:], benchmark.models[1:], strict=True
        ):
            assert model.against
            drop = model.against.drop
            low, high, digits = drop.interval.low, drop.interval.high, digits_of(drop.interval)
            points = f"{drop.points:+{digits}} [{low:+{digits}}, {high:+{digits}}]"
            assert row[1].replace("−", "-") == points
            assert row[2:4] == [str(drop.lost), str(drop.gained)]
            assert row[6] == str(model.against.disagreements)
        recalls = tables("Recall of each class")
        for row, label in zip(recalls[1:], benchmark.data.labels, strict=True):
            assert row[0] == label
            for cell, model in zip(row[2:], benchmark.models, strict=True):
                assert model.metrics
                [one] = [c for c in model.metrics.classes if c.label == label]
                assert cell.startswith(
                    f"{one.hits / one.images:{digits_of(one.recall.interval)}} ["
                )
        stages = tables("Stages, load and memory")
        assert len(stages) == 13
        assert dict(zip(stages[0], stages[1], strict=True))["peak, MB"] == "649.0"
        assert ["temperature, °C", "48.3", "61.2"] in tables("Its state")


def test_a_good_class_adds_escape_rate_and_overkill(benchmark: Benchmark, tmp_path: Path) -> None:
    data = replace(benchmark.data, good=benchmark.data.labels[0])
    truth = np.asarray(data.truth)
    models, shown = [], []
    for model in benchmark.models:
        assert model.metrics
        guess = np.asarray(model.metrics.guesses)
        scores = np.eye(len(data.labels), dtype=np.float32)[guess]
        metrics = measure_metrics(truth, scores, labels=data.labels, good=data.good)
        models.append(replace(model, metrics=metrics))
        shown.append(
            [f"{(guess[truth != 0] == 0).mean():.3f}", f"{(guess[truth == 0] != 0).mean():.2f}"]
        )
    named = replace(benchmark, data=data, models=tuple(models))
    write_benchmark(tmp_path / "b.json", named)
    valid_file("models/benchmark", tmp_path / "b.json")
    named = read_benchmark(tmp_path / "b.json")
    header, *rows = table_of(parsed(page(named)), "Accuracy")
    assert header[-2:] == ["escape rate", "overkill"]
    for row, (escape_rate, overkill) in zip(rows, shown, strict=True):
        assert row[-2].startswith(f"{escape_rate} [")
        assert row[-1].startswith(f"{overkill}")
    assert "escape rate" in benchmark_table(named).splitlines()[0]
    assert shown[0][0] in benchmark_table(named).splitlines()[2]
    assert "escape" not in page(benchmark) + benchmark_table(benchmark)


def test_a_thousand_classes_show_the_most_changed() -> None:
    labels = tuple(f"class number {i}" for i in range(1000))
    # Of most classes there is no image: that of a thousand takes its time to draw.
    answer = make_benchmark(labels=labels[:160], images=400, threads=(1,), queries=70)
    answer = replace(answer, data=replace(answer.data, labels=labels))
    html = page(answer)
    assert len(html) < 1_000_000
    root = parsed(html)
    rows = table_of(root, "Recall lost")[1:]
    assert len(rows) == 100
    shown = {row[0] for row in rows}
    for model in answer.models[1:]:
        assert model.against
        most = max(model.against.recall_drops, key=lambda drop: abs(drop.points))
        shown_points = (
            [abs(drop.points) for drop in model.against.recall_drops if drop.label in shown]
            if most.points
            else [0.0]
        )
        assert max(shown_points) == abs(most.points)
        if model.against.disagreements:
            assert table_of(root, f"Mistakes of {model.name}")[0][:2] == ["truth", "called"]


def test_changed_mistakes_are_those_of_the_confusion_matrices(benchmark: Benchmark) -> None:
    rows = markdown_table(markdown(benchmark), "Mistakes of int8")[1:]
    reference, int8 = benchmark.models[0].metrics, benchmark.models[4].metrics
    assert reference
    assert int8
    before, after = np.asarray(reference.confusion), np.asarray(int8.confusion)
    labels = benchmark.data.labels
    expected = {
        (labels[i], labels[j], before[i, j], after[i, j])
        for i, j in np.argwhere(before != after)
        if i != j
    }
    assert {(row[0], row[1], int(row[2]), int(row[3])) for row in rows} == expected
    cells = {
        (label, text)
        for g in parsed(page(benchmark)).iter("g")
        if (label := (g.findtext("title") or "")) and (text := g.findtext("text"))
    }
    for truth, guess, one, other in expected:
        answer = f"{other - one:+d}".replace("-", "−")
        assert (f"{truth} called {guess}: {answer}", answer) in cells


def test_the_interval_of_a_median_holds_it(benchmark: Benchmark) -> None:
    for model in benchmark.models:
        for timing in model.timings:
            interval = p50_interval(timing)
            assert timing.p50_ms in interval
            assert interval.low < interval.high


def test_a_terminal_table_without_a_reference_compares_nothing(benchmark: Benchmark) -> None:
    compared = benchmark_table(benchmark).splitlines()[0]
    timings = tuple(replace(one, ratio=None) for one in benchmark.models[1].timings)
    model = replace(benchmark.models[1], reference=False, against=None, timings=timings)
    alone = benchmark_table(replace(benchmark, models=(model,))).splitlines()
    for heading in ("drop (points)", "agreement", "speed /"):
        assert heading in compared
        assert heading not in alone[0]
    assert alone[2].split()[0] == model.name
    assert "—" not in alone[2]
