"""DenseNet121 with the ImageNet weights in int8: ours, step by step, and the rivals'.

    python benchmarks/rivals/accuracy.py --data FOLDER --weights FILE --out rivals.json [--latency]

FOLDER holds the photographs, FOLDER.labels.csv their classes (columns `path` and `class_index`).
Some of them calibrate, drawn anew with each seed, all others are scored. The rivals run in an
environment of their own, which is made on the first run and kept below --work, as are their scores.
"""

import csv
import hashlib
import json
import os
import pickle
import random
import subprocess
import sys
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
import numpy as np

from edgeclf.benchmarks.rivals.exchange import Exchange, write_array
from edgeclf.benchmarks.rivals.figures import TITLES, cost, cost_table, mean_cost
from edgeclf.edge_runtime.errors import EdgeclfError
from edgeclf.edge_runtime.files import sha256_of, write_bytes, write_json
from edgeclf.edge_runtime.interpreter import default_threads
from edgeclf.edge_runtime.quiet import quiet_tensorflow
from edgeclf.edge_runtime.table import format_table
from edgeclf.edge_runtime.tflite_file import parse_tflite
from edgeclf.models.photographs import Photographs, load_photographs
from edgeclf.models.run import FloatModel, FloatModelInfo

_HERE = Path(__file__).resolve().parent
_ROOT = _HERE.parent.parent
_PATH = click.Path(path_type=Path)
_SIZE = (224, 224)
_RIVALS_SIDE = ("rivals.py", "onnx_graph.py", "requirements.txt")


@click.command(context_settings={"show_default": True})
@click.option("--data", required=True, type=_PATH, help="Folder of photographs.")
@click.option("--weights", required=True, type=_PATH, help="DenseNet121's, with the top.")
@click.option("--out", required=True, type=_PATH, help="JSON file for all figures.")
@click.option("--seeds", default=3, type=click.IntRange(min=1), help="How many, from 0 on.")
@click.option("--calibration-images", default=100, type=click.IntRange(min=1), help="How many.")
@click.option("--int16x8", "int16", is_flag=True, help="Score that recipe, too; it is slow.")
@click.option("--latency", is_flag=True, help="Time the models of seed 0, on one thread.")
@click.option("--queries", default=100, type=click.IntRange(min=10), help="Timed, per model.")
@click.option("--work", default=Path.home() / ".cache" / "edgeclf-rivals", type=_PATH)
def main(
    data: Path,
    weights: Path,
    out: Path,
    seeds: int,
    calibration_images: int,
    int16: bool,
    latency: bool,
    queries: int,
    work: Path,
) -> None:
    """Tell what int8 costs DenseNet121, by TFLite, edgeclf, ONNX Runtime and NNCF."""
    python = _rivals_python(work)
    quiet_tensorflow()
    from edgeclf.benchmarks.rivals.ours import score_ours
    from edgeclf.convert.read_keras import read_keras

    labels = tuple(map(str, range(1000)))
    float_model = FloatModel(FloatModelInfo("densenet121", labels, _SIZE, "crop", weights))
    exchange = _exchange(work, data, weights, seeds, calibration_images)
    click.echo("Scoring float32")
    write_array(exchange.folder / "reference.npy", float_model.scores(exchange.inputs))
    graph = read_keras(float_model.keras_model)
    write_bytes(exchange.folder / "graph.pickle", pickle.dumps(graph))

    _run(python, "rivals", exchange.folder, str(default_threads()))
    for seed in exchange.seeds:
        score_ours(exchange, float_model.keras_model, seed, int16=int16)
    costs = {
        name: [cost(exchange, name, seed) for seed in exchange.seeds]
        for name in TITLES
        if int16 or name != "int16x8"
    }
    click.echo(cost_table(costs))
    told: dict[str, Any] = {
        "images": len(exchange.inputs),
        "calibration_images": calibration_images,
        "costs": {
            name: {"mean": asdict(mean_cost(each)), "seeds": [asdict(one) for one in each]}
            for name, each in costs.items()
        },
    }
    write_json(out, told)
    if latency:
        _run(python, "latency", exchange.folder, str(queries))
        told["latency"] = json.loads((exchange.folder / "latency.json").read_text())
        told["operators"] = {name: _operators(exchange, name) for name in ("tflite", "rounding")}
        click.echo(_operator_table(told["operators"]))
        write_json(out, told)


def _exchange(work: Path, data: Path, weights: Path, seeds: int, count: int) -> Exchange:
    """Read the images and draw who calibrates, into a folder that only these make use of."""
    table = data.with_name(f"{data.name}.labels.csv")
    try:
        with table.open(newline="") as file:
            rows = list(csv.DictReader(file))
    except OSError as error:
        raise EdgeclfError(f"{table}: cannot be read ({error.strerror})") from None
    if len(rows) <= count:
        raise EdgeclfError(f"{table}: {len(rows)} images; give more than the {count} to calibrate")
    paths = tuple(data / row["path"] for row in rows)
    inputs, classes = load_photographs(
        Photographs(paths, tuple(row["class_index"] for row in rows)), size_hw=_SIZE, rule="crop"
    )
    calibration = np.stack([_draw(len(inputs), count, seed) for seed in range(seeds)])
    # Whatever changes the rivals' scores.
    parts = [inputs.tobytes(), str(count).encode(), sha256_of(weights).encode()]
    parts += [(_HERE / name).read_bytes() for name in _RIVALS_SIDE]
    exchange = Exchange(work / hashlib.sha256(b"".join(parts)).hexdigest()[:12])
    write_array(exchange.folder / "inputs.npy", inputs)
    write_array(exchange.folder / "truth.npy", np.asarray(classes, np.intp))
    write_array(exchange.folder / "calibration.npy", calibration)
    return exchange


def _draw(images: int, count: int, seed: int) -> np.ndarray[Any, np.dtype[np.intp]]:
    places = list(range(images))
    random.Random(seed).shuffle(places)
    return np.asarray(places[:count])


def _rivals_python(work: Path) -> Path:
    """Return the interpreter of the rivals' environment, which is made where it is missing."""
    requirements, constraints = _HERE / "requirements.txt", _ROOT / "constraints.txt"
    environment, pins = work / "venv", requirements.read_text() + constraints.read_text()
    python, installed = environment / "bin" / "python", environment / "installed.txt"
    if not installed.exists() or installed.read_text() != pins:
        click.echo(f"Installing the rivals into {environment}")
        subprocess.run([sys.executable, "-m", "venv", "--clear", environment], check=True)
        files: list[str | Path] = [
            "--requirement",
            requirements,
            "--constraint",
            constraints,
            "--editable",
            _ROOT,
        ]
        subprocess.run([python, "-m", "pip", "install", "--quiet", *files], check=True)
        write_bytes(installed, pins.encode())
    return python


def _run(python: Path, script: str, *arguments: str | Path) -> None:
    """Run a script in the rivals' environment, where nothing is reported to anyone."""
    quiet = {"CI": "true", "NNCF_CI": "1"}
    path = _HERE / f"{script}.py"
    if subprocess.run([python, path, *arguments], env=os.environ | quiet, check=False).returncode:
        raise EdgeclfError(f"{path.name} failed in the rivals' environment; see above")


def _operators(exchange: Exchange, name: str) -> dict[str, int]:
    model = parse_tflite(exchange.model(f"{name}.tflite", 0).read_bytes())
    return dict(Counter(operator.name for operator in model.operators).most_common())


def _operator_table(operators: dict[str, dict[str, int]]) -> str:
    names = sorted({name for counts in operators.values() for name in counts})
    rows = [[name, *(str(counts.get(name, 0)) for counts in operators.values())] for name in names]
    return format_table(["operator", *(TITLES[name] for name in operators)], rows)


if __name__ == "__main__":
    try:
        main()
    except EdgeclfError as error:
        sys.exit(f"Error: {error}")
