"""`edgeclf benchmark compare` tells what is worse from what is chance."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from benchmark_results import make_benchmark, with_error
from click.testing import Result
from schemas import valid

from edgeclf.benchmarks.results.changes import find_changes
from edgeclf.benchmarks.results.estimates import ratio_estimate
from edgeclf.benchmarks.results.schema import Benchmark, Model, write_benchmark

Cli = Callable[..., Result]


@pytest.fixture(scope="module")
def old() -> Benchmark:
    return make_benchmark(queries=100, threads=(1,))


@pytest.fixture
def compared(cli: Cli, tmp_path: Path) -> Callable[..., tuple[int, list[list[str]], Result]]:
    """The exit code, the rows that are not `same`, and the result of a comparison."""

    def compare(old: Benchmark, new: Benchmark, *options: object, code: int = 0) -> list[str]:
        for name, benchmark in (("old", old), ("new", new)):
            write_benchmark(tmp_path / f"{name}.json", benchmark)
        files = tmp_path / "old.json", tmp_path / "new.json"
        lines = cli("benchmark", "compare", *files, *options, code=code).output.splitlines()
        return [line for line in lines if line.endswith((" worse", " better"))]

    return compare


def changed(benchmark: Benchmark, name: str, change: Callable[[Model], Model]) -> Benchmark:
    models = [change(model) if model.name == name else model for model in benchmark.models]
    return replace(benchmark, models=tuple(models))


def slower(model: Model, factor: float, reference: Model) -> Model:
    [timing], [other] = model.timings, reference.timings
    rounds = tuple(tuple(factor * time for time in times) for times in timing.rounds_ms)
    ratio = ratio_estimate(rounds, reference=other.rounds_ms)
    p50_ms = factor * timing.p50_ms
    return replace(model, timings=(replace(timing, rounds_ms=rounds, ratio=ratio, p50_ms=p50_ms),))


def wrong(model: Model, images: range, classes: int) -> Model:
    assert model.metrics
    guesses = list(model.metrics.guesses)
    for image in images:
        guesses[image] = (guesses[image] + 1) % classes
    return replace(model, metrics=replace(model.metrics, guesses=tuple(guesses)))


def test_nothing_changed(compared: Any, old: Benchmark) -> None:
    assert compared(old, old) == []


def test_another_measurement_of_the_same_is_chance(compared: Any, old: Benchmark) -> None:
    again = make_benchmark(queries=100, threads=(1,), seed=2)
    assert compared(old, again) == []  # other images too


def test_a_slower_model_is_worse_and_a_faster_one_better(compared: Any, old: Benchmark) -> None:
    assert old.reference
    slow = changed(old, "int8", lambda model: slower(model, 1.3, old.models[0]))
    [line] = compared(old, slow, code=1)
    assert line.split()[:4] == ["int8", "p50", "/", "reference"]
    assert "+30.0 %" in line
    [line] = compared(slow, old)
    assert line.endswith("better")
    assert compared(old, slow, "--tolerance", 31) == []


def test_more_escapes_are_worse_and_fewer_better(compared: Any, old: Benchmark) -> None:
    good = 0
    data = replace(old.data, good=old.data.labels[good])
    truth, classes = np.asarray(data.truth), len(data.labels)
    defects = np.flatnonzero(truth != good)[:40]

    def mistaken(model: Model, guess: np.ndarray) -> Model:
        assert model.metrics
        guesses = np.asarray(model.metrics.guesses)
        guesses[defects] = guess
        metrics = replace(model.metrics, guesses=tuple(int(each) for each in guesses))
        return replace(model, metrics=metrics)

    # The accuracy is the same: a defect is called another one, or good.
    others = truth[defects] % (classes - 1) + 1
    assert not (others == truth[defects]).any()
    named = replace(old, data=data)
    before = changed(named, "int8", lambda model: mistaken(model, others))
    after = changed(named, "int8", lambda model: mistaken(model, np.full(40, good)))
    [line] = compared(before, after, code=1)
    assert line.split()[:3] == ["int8", "escape", "rate"]
    [line] = compared(after, before)
    assert line.endswith("better")
    assert compared(before, after, "--points", 50) == []
    unnamed = [replace(one, data=old.data) for one in (before, after)]
    assert compared(*unnamed) == []


def test_a_slower_machine_is_no_change(compared: Any, old: Benchmark) -> None:
    both = old
    for model in old.models:
        both = changed(both, model.name, lambda one: slower_alone(one, 2.0))
    assert compared(old, both) == []


def slower_alone(model: Model, factor: float) -> Model:
    [timing] = model.timings
    rounds = tuple(tuple(factor * time for time in times) for times in timing.rounds_ms)
    return replace(model, timings=(replace(timing, rounds_ms=rounds),))


def test_a_lost_accuracy_is_worse_where_it_is_paired(compared: Any, old: Benchmark) -> None:
    lossy = changed(old, "int8", lambda model: wrong(model, range(0, 300, 50), 4))
    [line, *classes] = compared(old, lossy, code=1)
    assert line.split()[:2] == ["int8", "accuracy"]
    assert "−2.0 points" in line
    assert all("recall of" in one for one in classes)
    assert compared(old, lossy, "--points", 30) == []
    # The same loss on other images is within chance.
    others = replace(lossy, data=replace(lossy.data, digest="e" * 64))
    assert not [line for line in compared(old, others) if "accuracy" in line]


def test_a_class_that_is_lost_is_named(compared: Any, old: Benchmark) -> None:
    first = old.data.truth.count(0)
    lossy = changed(old, "int8", lambda model: wrong(model, range(first // 2), 4))
    assert any("recall of good" in line for line in compared(old, lossy, code=1))


def test_a_larger_file_and_more_memory_are_worse(compared: Any, old: Benchmark) -> None:
    larger = changed(old, "int8", lambda model: replace(model, bytes=9_000_000))
    [line] = compared(old, larger, code=1)
    assert line.split()[:3] == ["int8", "file", "MB"]

    def hungry(model: Model) -> Model:
        [timing] = model.timings
        peak = timing.peak_memory_bytes * 2
        return replace(model, timings=(replace(timing, peak_memory_bytes=peak),))

    [line] = compared(old, changed(old, "int8", hungry), code=1)
    assert line.split()[:3] == ["int8", "peak", "MB"]


def test_a_model_that_runs_no_more_is_worse(compared: Any, old: Benchmark) -> None:
    [line] = compared(old, with_error(old, "int8", "killed"), code=1)
    assert line.split()[:4] == ["int8", "runs", "yes", "no"]


def test_a_model_that_was_not_measured_again_is_neither_worse_nor_the_same(
    cli: Cli, compared: Any, old: Benchmark, tmp_path: Path
) -> None:
    gone = replace(old, models=old.models[:-1])
    assert compared(old, gone) == []
    files = tmp_path / "old.json", tmp_path / "new.json"
    lines = cli("benchmark", "compare", *files).stdout.splitlines()
    [line] = [line for line in lines if line.startswith("int8-qat ")]
    assert line.split() == ["int8-qat", "runs", "yes", "—", "—", "not", "measured"]
    assert "; 1 not measured in " in lines[-1]
    shown = valid(
        "models/benchmark-compare", json.loads(cli("benchmark", "compare", *files, "--json").stdout)
    )
    assert (shown["counts"]["not_measured"], shown["counts"]["worse"]) == (1, 0)
    [change] = [one for one in shown["changes"] if one["model"] == "int8-qat"]
    assert (change["old"], change["new"], change["judgement"]) == (1, None, "not_measured")
    assert compared(gone, old) == []


def test_latencies_of_a_machine_that_throttled_are_not_judged(
    cli: Cli, compared: Any, old: Benchmark, tmp_path: Path
) -> None:
    slow = changed(old, "int8", lambda model: slower(model, 1.3, old.models[0]))
    void = replace(slow, void="the machine throttled: throttled now")
    assert compared(old, void) == []
    latencies = [
        one for one in find_changes(old, void, tolerance=5, points=0) if "p50" in one.figure
    ]
    assert {one.judgement for one in latencies} == {"cannot_tell"}
    result = cli("benchmark", "compare", tmp_path / "old.json", tmp_path / "new.json")
    assert "new.json: its latencies do not count: the machine throttled" in result.stderr


def judgement_of(old: Benchmark, new: Benchmark, figure: str, **tolerated: float) -> str:
    options = {"tolerance": 5.0, "points": 0.0} | tolerated
    changes = find_changes(old, new, **options)
    [change] = [one for one in changes if (one.model, one.figure) == ("int8", figure)]
    return change.judgement


def test_the_same_answers_are_the_same_and_two_others_cannot_tell(old: Benchmark) -> None:
    assert judgement_of(old, old, "accuracy") == "same"
    assert judgement_of(old, old, "recall of good") == "same"
    lossy = changed(old, "int8", lambda model: wrong(model, range(2), 4))
    assert judgement_of(old, lossy, "accuracy") == "cannot_tell"
    # As good as the same where not even the end of the interval is more than is tolerated.
    assert judgement_of(old, lossy, "accuracy", points=1) == "cannot_tell"
    assert judgement_of(old, lossy, "accuracy", points=5) == "same"
    # Other images: even the same share of right ones may be another accuracy.
    others = replace(old, data=replace(old.data, digest="e" * 64))
    assert judgement_of(old, others, "accuracy") == "cannot_tell"


def test_a_significant_change_about_the_tolerance_cannot_tell(old: Benchmark) -> None:
    slow = changed(old, "int8", lambda model: slower(model, 1.3, old.models[0]))
    assert judgement_of(old, slow, "p50 / reference", tolerance=5) == "worse"
    assert judgement_of(old, slow, "p50 / reference", tolerance=30.5) == "cannot_tell"
    assert judgement_of(old, slow, "p50 / reference", tolerance=90) == "same"


def test_the_table_says_cannot_tell_and_counts_what_it_leaves_out(
    cli: Cli, compared: Any, old: Benchmark, tmp_path: Path
) -> None:
    lossy = changed(old, "int8", lambda model: wrong(model, range(2), 4))
    assert compared(old, lossy) == []
    lines = cli("benchmark", "compare", tmp_path / "old.json", tmp_path / "new.json").stdout
    [line] = [line for line in lines.splitlines() if line.split()[:2] == ["int8", "accuracy"]]
    assert line.endswith("cannot tell")
    last = lines.splitlines()[-1]
    assert last.startswith("0 worse, 0 better, ")
    assert last.endswith("; 24 recalls that are neither better nor worse: --json")
    assert "recall of" not in lines


def test_json_holds_every_figure_as_its_schema_says(
    cli: Cli, compared: Any, old: Benchmark, tmp_path: Path
) -> None:
    first = old.data.truth.count(0)
    lossy = changed(old, "int8", lambda model: wrong(model, range(first // 2), 4))
    lossy = replace(with_error(lossy, "float16", "killed"), void="the machine throttled")
    compared(old, lossy, code=1)
    files = tmp_path / "old.json", tmp_path / "new.json"
    result = cli("benchmark", "compare", *files, "--json", "--points", 0.5, code=1)
    shown = valid("models/benchmark-compare", json.loads(result.stdout))
    assert (shown["points"], shown["tolerance"], shown["same_images"]) == (0.5, 5, True)
    assert shown["void"] == {"old": None, "new": "the machine throttled"}
    changes = shown["changes"]
    for judgement, count in shown["counts"].items():
        assert count == sum(change["judgement"] == judgement for change in changes)
    worse = [(one["model"], one["figure"]) for one in changes if one["judgement"] == "worse"]
    assert worse == [("float16", "runs"), ("int8", "accuracy"), ("int8", "recall of good")]
    assert sum(one["figure"].startswith("recall of ") for one in changes) == 5 * 4
    accuracy = next(one for one in changes if one["model"] == "int8")
    assert accuracy["interval"][0] < accuracy["change"] < accuracy["interval"][1] < -0.5


def test_other_classes_and_other_files_are_one_line(
    cli: Cli, old: Benchmark, tmp_path: Path
) -> None:
    other = make_benchmark(queries=50, threads=(1,), labels=("a", "b", "c"), images=40)
    write_benchmark(tmp_path / "old.json", old)
    write_benchmark(tmp_path / "new.json", other)
    (tmp_path / "none.json").write_text('{"schema": 1}')
    for name, line in (
        ("new.json", "differ in classes: good, oil, scratch, stain and a, b, c;"),
        ("none.json", "expected a benchmark of schema 2 or 3, got 1"),
        ("missing.json", "no such file"),
    ):
        result = cli("benchmark", "compare", tmp_path / "old.json", tmp_path / name, code=1)
        assert line in result.stderr
        assert result.stderr.count("\n") == 1


def test_the_noise_of_one_reference_alarms_for_all_models_together_in_one_pair_of_twenty(
    old: Benchmark,
) -> None:
    rng = np.random.default_rng(0)

    def measured_again() -> Benchmark:
        rounds = {
            model.name: np.exp(rng.normal(0, 0.05, 5))[:, None] * np.ones((5, 3))
            for model in old.models
        }
        reference = rounds[old.models[0].name]

        def timed(model: Model) -> Model:
            [timing] = model.timings
            times = tuple(map(tuple, rounds[model.name]))
            ratio = None if model.reference else ratio_estimate(times, reference=reference)
            return replace(model, timings=(replace(timing, rounds_ms=times, ratio=ratio),))

        return replace(old, models=tuple(map(timed, old.models)))

    pairs = 400
    alarms = sum(
        any(
            change.figure == "p50 / reference" and change.judgement in ("better", "worse")
            for change in find_changes(measured_again(), measured_again(), tolerance=0, points=0)
        )
        for _ in range(pairs)
    )
    assert alarms / pairs < 0.07  # 0.05 and two standard errors
