"""What tests of `edgeclf benchmark` share."""

import csv
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from click.testing import Result

from edgeclf.edge_runtime.model_file.container import read_model, write_model

Cli = Callable[..., Result]


Rows = dict[str, dict[str, Any]]


QUICK = ("--queries", 10, "--rounds", 2)


def rows_of(json_file: Path) -> Rows:
    return {row["name"]: row for row in json.loads(json_file.read_text())["models"]}


def images_of_test(run: Path) -> tuple[list[Path], list[str]]:
    data = Path(json.loads((run / "config.json").read_text())["data"])
    with (run / "split.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == "test"]
    return [data / row["path"] for row in rows], [row["label"] for row in rows]


def only_error(result: Result) -> str:
    [line] = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
    assert result.stderr.endswith(line + "\n")
    return line


def relabelled(model: Path, out: Path, labels: tuple[str, ...]) -> Path:
    data, spec = read_model(model)
    write_model(out, data[: data.index(b"PK\x03\x04")], replace(spec, labels=labels))
    return out
