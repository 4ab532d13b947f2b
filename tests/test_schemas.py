"""The JSON Schema files of docs/schemas/ are sound, complete and used."""

import json
import re
import shutil
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from jsonschema import Draft202012Validator
from schemas import (
    SCHEMAS,
    SUFFIX,
    read_schema,
    schema_names,
    valid,
    valid_file,
    valid_rows,
    validator,
)

from edgeclf.edge_runtime.model_file.container import read_model
from edgeclf.edge_runtime.model_file.spec import SPEC_NAME

TESTS = Path(__file__).resolve().parent

Cli = Callable[..., Result]

# What holds anything, by design: the settings of a training as they were, for --resume; and what
# another version of edgeclf has written into a file.
_OPEN = {"training/metrics:trained_with", "models/inspect:provenance"}


def parts(schema: Any, place: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every object in a schema file, with its place."""
    if isinstance(schema, dict):
        yield place, schema
        for name, value in schema.items():
            yield from parts(value, f"{place.partition(':')[0]}:{name}")
    elif isinstance(schema, list):
        for value in schema:
            yield from parts(value, place)


@pytest.mark.parametrize("name", schema_names())
def test_a_schema_is_one_and_lets_nothing_unknown_pass(name: str) -> None:
    schema = read_schema(name)
    Draft202012Validator.check_schema(schema)
    assert schema["title"]
    for place, part in parts(schema, name):
        if part.get("type") in ("object", ["object", "null"]) and place not in _OPEN:
            assert "additionalProperties" in part, place
            assert part["additionalProperties"] is not True, place
            assert set(part.get("required", [])) <= set(part.get("properties", {})), place
        target = part.get("$ref", "")
        if target.startswith("#"):
            assert target.split("/")[-1] in schema["$defs"], place
        elif target:
            path, _, pointer = target.partition("#")
            other = json.loads(((SCHEMAS / name).parent / path).read_text(encoding="utf-8"))
            assert not pointer or pointer.split("/")[-1] in other["$defs"], place


def test_every_schema_is_listed_and_held_against_real_output() -> None:
    page = (SCHEMAS / "index.md").read_text(encoding="utf-8")
    code = "".join(path.read_text(encoding="utf-8") for path in TESTS.rglob("test_*.py"))
    for name in schema_names():
        assert f"]({name}{SUFFIX})" in page
        if name != "definitions":
            assert re.search(rf"valid(_file|_rows)?\(\s*\"{name}\"", code), name


def test_what_is_missing_or_of_another_type_is_refused() -> None:
    report: dict[str, Any] = {"schema": 1, "passed": True, "checks": []}
    check = {"name": "disk", "state": "ok", "detail": "12 GB free", "mend": ""}
    valid("device/doctor", report | {"checks": [check]})
    for wrong in (
        {"schema": 1, "passed": True},
        report | {"schema": 2},
        report | {"passed": "yes"},
        report | {"checks": [check | {"state": "fine"}]},
        report | {"checks": [{"name": "disk"}]},
        report | {"more": 1},
    ):
        assert not validator("device/doctor").is_valid(wrong)


def test_the_files_of_a_run(cli: Cli, tiny_run: Path, tmp_path: Path) -> None:
    valid_file("training/config", tiny_run / "config.json")
    valid_file("training/metrics", tiny_run / "metrics.json")
    assert len(valid_rows("training/split-csv", tiny_run / "split.csv")) == 96
    assert len(valid_rows("training/history-csv", tiny_run / "history.csv")) == 2
    assert valid_file("training/calibration", tiny_run / "calibration.json")["thresholds"] is None
    assert len(valid_rows("training/predictions-csv", tiny_run / "predictions.csv")) == 36
    run = tmp_path / "run"
    shutil.copytree(tiny_run, run)
    cli("evaluate", run, "--recall", 0.5, "--good", "good")
    assert valid_file("training/config", run / "config.json")["good"] == "good"
    assert 0 <= valid_file("training/metrics", run / "metrics.json")["test"]["escape_rate"] <= 1
    assert valid_file("training/calibration", run / "calibration.json")["recall"] == 0.5
    assert valid_file("training/metrics", run / "metrics.json")["thresholds"]["recall"] == 0.5


def test_the_specification_in_a_model(tiny_models: Path, tiny_heatmaps: Path) -> None:
    for path in (*tiny_models.glob("*.tflite"), *tiny_heatmaps.glob("*.tflite")):
        with zipfile.ZipFile(path) as archive:
            spec = valid("models/model-spec", json.loads(archive.read(SPEC_NAME)))
        assert spec["recipe"] == path.stem
        assert ("heatmap" in spec) == (path.parent == tiny_heatmaps)
        assert spec["provenance"]["images"]["test"] > 0
    chosen = replace(
        read_model(tiny_models / "int8.tflite")[1], thresholds={"oil": 0.5}, good="good"
    )
    shown = valid("models/model-spec", json.loads(chosen.to_json()))
    assert (shown["thresholds"], shown["good"]) == ({"oil": 0.5}, "good")
