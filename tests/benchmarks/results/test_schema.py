"""The results of a benchmark survive the way to JSON and back, and damaged ones are one line."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from benchmark_results import make_benchmark, with_error
from click.testing import Result
from schemas import valid_file

from edgeclf.benchmarks.results.reading import read_benchmark
from edgeclf.benchmarks.results.schema import SCHEMA, Benchmark, write_benchmark
from edgeclf.edge_runtime.errors import EdgeclfError


@pytest.fixture(scope="module")
def benchmark() -> Benchmark:
    return make_benchmark(images=120, queries=100)


def test_what_is_written_is_read_back(benchmark: Benchmark, tmp_path: Path) -> None:
    file = tmp_path / "benchmark.json"
    write_benchmark(file, benchmark)
    assert read_benchmark(file) == benchmark
    dead = with_error(benchmark, "int8", "int8.tflite: was killed")
    write_benchmark(file, dead)
    assert read_benchmark(file) == dead
    assert valid_file("models/benchmark", file)["schema"] == SCHEMA


def test_the_reference_is_the_model_that_says_so(benchmark: Benchmark) -> None:
    assert benchmark.reference is benchmark.models[0]
    assert with_error(benchmark, "keras", "killed").reference is not None


def test_further_keys_do_no_harm(benchmark: Benchmark) -> None:
    value = benchmark.to_json() | {"note": "by hand"}
    assert Benchmark.from_json(value, name="x") == benchmark


def as_schema_2(benchmark: Benchmark) -> dict[str, Any]:
    value = json.loads(json.dumps(benchmark.to_json()))
    for model in value["models"]:
        metrics = model.pop("metrics")
        if metrics is not None:
            metrics["top1"], metrics["top5"] = metrics.pop("accuracy"), metrics.pop("top5_accuracy")
        model["accuracy"] = metrics
    value["machine"]["others"] = value["machine"].pop("background_load")
    return value | {"schema": 2}


def test_the_schema_before_is_read(benchmark: Benchmark, tmp_path: Path) -> None:
    dead = with_error(benchmark, "int8", "int8.tflite: was killed")
    for each in (benchmark, dead):
        old = as_schema_2(each)
        assert "metrics" not in old["models"][0]
        (tmp_path / "old.json").write_text(json.dumps(old))
        assert read_benchmark(tmp_path / "old.json") == each


@pytest.mark.parametrize("models", [None, {}, [None], [{"accuracy": []}]])
def test_damage_in_the_schema_before_is_one_line_too(benchmark: Benchmark, models: Any) -> None:
    with pytest.raises(EdgeclfError, match=r"^x\.models") as error:
        Benchmark.from_json(as_schema_2(benchmark) | {"models": models}, name="x")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("place", "value", "line"),
    [
        (["schema"], 1, "x: expected a benchmark of schema 2 or 3, got 1"),
        (["models", 1, "bytes"], "many", r"x.models\[1\].bytes: expected a whole number"),
        (["models", 1, "reference"], 1, r"x.models\[1\].reference: expected true or false"),
        (["void"], 3, "x.void: expected a text, got 3"),
        (["models", 0, "timings"], {}, r"x.models\[0\].timings: expected a list"),
        (["models", 0, "metrics", "accuracy"], [], "metrics.accuracy: expected an object"),
        (["models", 0, "metrics", "accuracy", "interval"], [1], "interval: expected two numbers"),
        (["machine", "versions", "python"], None, "x.machine.versions.python: expected a text"),
    ],
)
def test_damage_is_one_line(benchmark: Benchmark, place: list[Any], value: Any, line: str) -> None:
    report = json.loads(json.dumps(benchmark.to_json()))
    *parents, last = place
    inner = report
    for key in parents:
        inner = inner[key]
    inner[last] = value
    with pytest.raises(EdgeclfError, match=line) as error:
        Benchmark.from_json(report, name="x")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("place", "value", "line"),
    [
        (
            ["models", 1, "timings"],
            [],
            r"models\[1\].timings: expected a number of threads or more",
        ),
        (["models", 0, "metrics"], None, r"models\[0\].metrics: expected figures of a model"),
        (["models", 1, "metrics", "classes"], [], "classes: expected those of the classes that"),
        (["models", 1, "against", "recall_drops"], [], "recall_drops: expected those of the"),
        (["models", 1, "metrics", "guesses", 7], 4, "guesses: expected numbers below 4"),
        (["models", 1, "metrics", "guesses"], [0], "guesses: expected one for each image"),
        (["models", 1, "metrics", "confusion"], [[1]], "confusion: expected 4 rows of 4 numbers"),
        (["models", 1, "error"], "killed", "expected no figures of a model with an error"),
        (["models", 1, "bytes"], 0, "bytes: expected a size above 0"),
        (["models", 1, "bytes"], 10**30, r"bytes: expected a number below 2\^63, got 1000"),
        (["models", 1, "name"], "keras", "models: expected each name once"),
        (["models", 1, "timings", 0, "p50_ms"], 0, "expected times above 0"),
        (["models", 1, "timings", 0, "p50_ms"], 10**400, "p50_ms: expected a number, got 1000"),
        (["models", 1, "timings", 0, "p50_ms"], 1e300, r"p50_ms: expected a number below 2\^63"),
        (["models", 1, "timings", 0, "p50_ms"], 1e-300, "expected times above 0"),
        (["models", 1, "timings", 0, "threads"], 9, "threads: expected one of the settings'"),
        (["models", 1, "timings", 0, "rounds_ms", 0], [], "rounds_ms: expected times above 0"),
        (
            ["models", 1, "timings", 0, "rounds_ms"],
            [[1], [1]],
            "as many rounds as of the reference",
        ),
        (["models", 1, "timings", 0, "ratio", "value"], -1, "ratio: expected a ratio in its"),
        (["data", "labels"], [], "data.labels: expected a class or more"),
        (["data", "truth"], [], "data.truth: expected a class for each image"),
        (["sustained", 0, "moments"], [], r"sustained\[0\].moments: expected a moment or more"),
        (["sustained", 0, "name"], "x", r"sustained\[0\].name: expected the name of a model"),
    ],
)
def test_parts_that_do_not_fit_together_are_one_line(
    benchmark: Benchmark, tmp_path: Path, place: list[Any], value: Any, line: str
) -> None:
    report = json.loads(json.dumps(benchmark.to_json()))
    *parents, last = place
    inner = report
    for key in parents:
        inner = inner[key]
    inner[last] = value
    (tmp_path / "x.json").write_text(json.dumps(report))
    with pytest.raises(EdgeclfError, match=line) as error:
        read_benchmark(tmp_path / "x.json")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("command", ["compare", "report"])
@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[" * 200_000, "nested too deeply"),
        (
            '{"schema": 3, "void": ' + "[" * 900 + "]" * 900 + "}",
            ": lacks 'created'; measure again",
        ),
        ('{"schema": 3, "created": ' + "[" * 900 + "]" * 900 + "}", "expected a text, got a list"),
        ('{"schema": ' + "9" * 5000 + "}", "a whole number with thousands of digits"),
        ('{"schema": NaN}', "NaN is no number of JSON, or too large"),
        ('{"schema": -Infinity}', "-Infinity is no number of JSON, or too large"),
        ('{"schema": 1e999}', "1e999 is no number of JSON, or too large"),
        ('{"schema": "\udcff', "not valid JSON"),
        ("", "not valid JSON"),
    ],
)
def test_odd_json_is_one_line(
    cli: Callable[..., Result], tmp_path: Path, command: str, text: str, reason: str
) -> None:
    file = tmp_path / "odd.json"
    file.write_bytes(text.encode(errors="surrogateescape"))
    others = [file] if command == "compare" else ["--markdown", tmp_path / "x.md"]
    result = cli("benchmark", command, file, *others, code=1)
    assert reason in result.stderr
    assert result.stderr.count("\n") == 1
    folder = cli("benchmark", command, tmp_path, *others, code=1)
    assert f"{tmp_path}: cannot be read (Is a directory)" in folder.stderr


def test_what_is_missing_is_named(benchmark: Benchmark) -> None:
    value = benchmark.to_json()
    del value["data"]["digest"]
    with pytest.raises(EdgeclfError, match=r"x\.data: lacks 'digest'"):
        Benchmark.from_json(value, name="x")
    with pytest.raises(EdgeclfError, match="got None"):
        Benchmark.from_json([], name="x")


def test_the_verdict_is_the_fastest_that_loses_nothing(benchmark: Benchmark) -> None:
    assert benchmark.verdict is not None
    assert benchmark.verdict.model == "int8-qat"
    assert not benchmark.verdict.loses
    left = with_error(benchmark, "int8-qat", "killed")
    assert left.verdict is not None
    assert left.verdict.model == "int8"
