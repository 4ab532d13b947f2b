"""What int8 costs an architecture with the ImageNet head: TFLite's as it comes, and ours.

    python benchmarks/peers/int8_cost.py --arch efficientnet-lite0 --weights FILE --data FOLDER \\
        --out OUT

FOLDER holds the photographs, FOLDER.labels.csv their classes (columns `path` and `class_index`).
Some of them calibrate, drawn anew with each seed, all others are scored. The files are left in OUT.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from edgeclf.benchmarks.peers.figures import Cost, cost_of, mean_cost
from edgeclf.benchmarks.peers.quantize.preparation import draw, load_samples
from edgeclf.benchmarks.peers.runtimes import open_tflite
from edgeclf.edge_runtime.command_line.table import format_table
from edgeclf.edge_runtime.errors import EdgeclfError
from edgeclf.edge_runtime.files import check_folder, write_bytes
from edgeclf.edge_runtime.quiet import quiet_tensorflow
from edgeclf.edge_runtime.tflite.interpreter import float_operators, open_interpreter
from edgeclf.models.float_model import FloatModel, FloatModelInfo
from edgeclf.models.networks.architectures import architecture

_PATH = click.Path(path_type=Path)
_HEADER = ("model", "seed", "top-1", "drop", "agreement", "KL", "variation", "float ops", "MB")


@click.command(context_settings={"show_default": True})
@click.option("--arch", required=True, help="Name of the architecture.")
@click.option("--weights", required=True, type=_PATH, help="Weights file with the ImageNet head.")
@click.option("--data", required=True, type=_PATH, help="Folder of photographs.")
@click.option("--out", required=True, type=_PATH, help="Folder for the files.")
@click.option("--seed", "seeds", multiple=True, type=int, default=(0, 1, 2), help="Seed of a draw.")
@click.option(
    "--calibration-images",
    default=100,
    type=click.IntRange(min=1),
    help="Number of images to calibrate on.",
)
@click.option("--tflite/--no-tflite", default=True, help="Score TFLite's plain int8 besides.")
def main(
    arch: str,
    weights: Path,
    data: Path,
    out: Path,
    seeds: tuple[int, ...],
    calibration_images: int,
    tflite: bool,
) -> None:
    """Tell what int8 costs an architecture."""
    check_folder(out)
    size = architecture(arch).input_size
    inputs, truth = load_samples(data, size_hw=(size, size), count=calibration_images)
    quiet_tensorflow()
    labels = tuple(map(str, range(1000)))
    model = FloatModel(FloatModelInfo(arch, labels, (size, size), "crop", weights))
    reference = model.scores(inputs)
    costs: dict[str, list[Cost]] = {}
    rows = []
    for seed in seeds:
        calibration = draw(len(inputs), calibration_images, seed)
        scored = np.setdiff1d(np.arange(len(inputs)), calibration)
        for name, flatbuffer in _files(model, inputs[calibration], tflite=tflite):
            path = out / f"{arch}-{name}-{seed}.tflite"
            write_bytes(path, flatbuffer)
            score = open_tflite(path, threads=1)
            scores = np.stack([score(image) for image in inputs[scored]])
            costs.setdefault(name, []).append(cost_of(scores, reference[scored], truth[scored]))
            floats = float_operators(open_interpreter(flatbuffer, name=path.name, threads=1))
            size_mb = f"{len(flatbuffer) / 1e6:.2f}"
            rows.append([*_cells(name, seed, costs[name][-1]), str(sum(floats.values())), size_mb])
            click.echo(" ".join(rows[-1]))
    rows += [[*_cells(name, "mean", mean_cost(each)), "", ""] for name, each in costs.items()]
    click.echo(format_table(_HEADER, rows))


def _files(
    model: FloatModel, inputs: NDArray[np.uint8], *, tflite: bool
) -> Iterator[tuple[str, bytes]]:
    """Yield the names and bytes of the int8 files, calibrated on `inputs`."""
    from edgeclf.benchmarks.peers.quantize.ours import plain_tflite
    from edgeclf.convert.graph.batch_norm import deploy_graph
    from edgeclf.convert.graph.read_keras import read_keras
    from edgeclf.convert.quantize.calibrate import pin_input_range
    from edgeclf.convert.quantize.emit import emit_int8
    from edgeclf.convert.techniques.registry import TECHNIQUES, apply_techniques, calibrate_int8

    techniques, pinned = tuple(TECHNIQUES.values()), pin_input_range(inputs)
    graph = apply_techniques(deploy_graph(read_keras(model.keras_model)), techniques, pinned)
    yield "edgeclf", emit_int8(*calibrate_int8(graph, techniques, pinned))
    if tflite:
        yield "tflite", plain_tflite(model.keras_model, inputs)


def _cells(name: str, seed: Any, made: Cost) -> list[str]:
    figures = (made.agreement, made.divergence, made.variation)
    drop = f"{made.drop_points:.2f}"
    return [name, str(seed), f"{made.top1:.4f}", drop, *(f"{figure:.4f}" for figure in figures)]


if __name__ == "__main__":
    try:
        main()
    except EdgeclfError as error:
        sys.exit(f"Error: {error}")
