"""A network with the ImageNet weights in int8: ours, step by step, and the peers'.

    python benchmarks/peers/accuracy.py --data FOLDER --weights FILE --out accuracy.json

FOLDER holds the photographs, FOLDER.labels.csv their classes (columns `path` and `class_index`).
Some of them calibrate, drawn anew with each seed, all others are scored. The peers run in an
environment of their own, which is made on the first run and kept below --work, as are all models.
"""

import sys
from collections import Counter
from dataclasses import asdict
from pathlib import Path

import click

from edgeclf.benchmarks.peers.environment import peers_python
from edgeclf.benchmarks.peers.figures import TITLES, cost, cost_table, mean_cost
from edgeclf.benchmarks.peers.quantize.exchange import Exchange
from edgeclf.benchmarks.peers.quantize.preparation import DEFAULT_WORK, NETWORKS, prepare
from edgeclf.edge_runtime.command_line.table import format_table
from edgeclf.edge_runtime.errors import EdgeclfError
from edgeclf.edge_runtime.files import check_folder, write_json
from edgeclf.edge_runtime.tflite.tflite_file import parse_tflite

_PATH = click.Path(path_type=Path)


@click.command(context_settings={"show_default": True})
@click.option(
    "--arch", default=NETWORKS[0], type=click.Choice(NETWORKS), help="Name of the architecture."
)
@click.option(
    "--data",
    required=True,
    type=_PATH,
    help="Folder of photographs to score, with a FOLDER.labels.csv beside.",
)
@click.option(
    "--weights",
    required=True,
    type=_PATH,
    help="Weights file of the architecture with the ImageNet head.",
)
@click.option("--out", required=True, type=_PATH, help="JSON file to write all figures to.")
@click.option(
    "--seeds",
    default=3,
    type=click.IntRange(min=1),
    help="Number of draws of calibration images, by seeds from 0 on.",
)
@click.option(
    "--calibration-images",
    default=100,
    type=click.IntRange(min=1),
    help="Number of images to calibrate on.",
)
@click.option("--int16x8", "int16", is_flag=True, help="Score the slow recipe int16x8, too.")
@click.option(
    "--work",
    default=DEFAULT_WORK,
    type=_PATH,
    help="Folder for environments and models, used again by later runs.",
)
def main(
    arch: str,
    data: Path,
    weights: Path,
    out: Path,
    seeds: int,
    calibration_images: int,
    int16: bool,
    work: Path,
) -> None:
    """Tell what int8 costs a network, by edgeclf and by the peers."""
    check_folder(out.parent)
    exchange = prepare(
        peers_python(work),
        arch=arch,
        data=data,
        weights=weights,
        work=work,
        seeds=seeds,
        calibration_images=calibration_images,
        int16=int16,
    )
    costs = {
        name: [cost(exchange, name, seed) for seed in exchange.seeds]
        for name in TITLES
        if int16 or name != "int16x8"
    }
    click.echo(cost_table(costs))
    operators = {name: _operators(exchange, name) for name in ("tflite", "edgeclf-int8")}
    click.echo(_operator_table(operators))
    write_json(
        out,
        {
            "arch": arch,
            "images": len(exchange.inputs),
            "calibration_images": calibration_images,
            "costs": {
                name: {"mean": asdict(mean_cost(each)), "seeds": [asdict(one) for one in each]}
                for name, each in costs.items()
            },
            "operators": operators,
        },
    )


def _operators(exchange: Exchange, name: str) -> dict[str, int]:
    model = parse_tflite(exchange.model(f"{name}.tflite", 0).read_bytes())
    return dict(Counter(operator.name for operator in model.operators).most_common())


def _operator_table(operators: dict[str, dict[str, int]]) -> str:
    names = sorted({name for counts in operators.values() for name in counts})
    rows = [[name, *(str(counts.get(name, 0)) for counts in operators.values())] for name in names]
    return format_table(["operator", *operators], rows)


if __name__ == "__main__":
    try:
        main()
    except EdgeclfError as error:
        sys.exit(f"Error: {error}")
