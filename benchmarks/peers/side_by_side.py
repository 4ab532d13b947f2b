"""A network with the ImageNet weights in everyone's runtime, side by side: `make peers`.

    python benchmarks/peers/side_by_side.py --data FOLDER --weights FILE --out peers-run

OUT gets peers.md, the table, and peers.json with every query behind it. On the way:

    preparation.py  every model, by ours.py and theirs.py; those of accuracy.py, made once
    yolo.py         Ultralytics' smallest classifier, which users would pick instead
    entries.py      who takes part
    comparison.py   each in a process of its own (worker.py, runtimes.py), in turns
    report.py       what that says
"""

import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import click

from edgeclf import __version__
from edgeclf.benchmarks.measure.machine import BackgroundLoad, describe_machine
from edgeclf.benchmarks.peers.comparison import Comparison, compare
from edgeclf.benchmarks.peers.entries import (
    ABSENT,
    ENTRIES,
    REFERENCE,
    Entry,
    no_network_failure,
)
from edgeclf.benchmarks.peers.environment import peers_python, silent_environment
from edgeclf.benchmarks.peers.quantize.exchange import Exchange
from edgeclf.benchmarks.peers.quantize.preparation import DEFAULT_WORK, NETWORKS, prepare
from edgeclf.benchmarks.peers.quantize.yolo import MODEL, add_yolo
from edgeclf.benchmarks.peers.report import Row, markdown_table, of_another_network, rows_of
from edgeclf.edge_runtime.command_line.warning import echo_warning
from edgeclf.edge_runtime.errors import EdgeclfError
from edgeclf.edge_runtime.files import check_folder, sha256_of, write_json, write_text
from edgeclf.edge_runtime.machine import machine_state
from edgeclf.models.metrics.records import to_json

SCHEMA = 3

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
@click.option(
    "--out", required=True, type=_PATH, help="Folder to write the table and all figures to."
)
@click.option(
    "--threads", default="1,2", metavar="N,N", help="Threads of an inference; each count is timed."
)
@click.option(
    "--queries",
    default=100,
    type=click.IntRange(min=10),
    help="Inferences to time per entry and round.",
)
@click.option(
    "--rounds",
    default=6,
    type=click.IntRange(min=2),
    help="Number of rounds, each in fresh processes.",
)
@click.option(
    "--calibration-images",
    default=100,
    type=click.IntRange(min=1),
    help="Number of images to calibrate on.",
)
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
    threads: str,
    queries: int,
    rounds: int,
    calibration_images: int,
    work: Path,
) -> None:
    """Measure the same weights in TFLite, edgeclf, ONNX Runtime, OpenVINO, ncnn and MediaPipe.

    Beside them runs Ultralytics' smallest classifier.
    """
    check_folder(out)
    counts = _parse_threads(threads)
    for path, there in ((weights, weights.is_file()), (data, data.is_dir())):
        if not there:
            raise EdgeclfError(
                f"{path}: not there; give the ImageNet weights of {arch} and photographs: "
                f"make peers ARCH={arch} WEIGHTS=FILE DATA=FOLDER"
            )
    python = peers_python(work)
    exchange = prepare(
        python,
        arch=arch,
        data=data,
        weights=weights,
        work=work,
        seeds=1,
        calibration_images=calibration_images,
    )
    entries, absent = _participants(python, exchange, work)
    before, background = machine_state(), BackgroundLoad()
    comparisons = _compare(entries, python, exchange, counts, rounds=rounds, queries=queries)
    machine = describe_machine(before, machine_state(), background_load=background.cores())
    sizes = {name: entry.bytes(exchange) for name, entry in entries.items()}
    rows = {count: _rows(entries, done, exchange) for count, done in comparisons.items()}
    table = markdown_table(
        {name: entry.title for name, entry in entries.items()},
        rows,
        failures={count: done.failures for count, done in comparisons.items()},
        sizes=sizes,
        absent=absent,
        reference=REFERENCE,
    )
    result = {
        "schema": SCHEMA,
        "edgeclf_version": __version__,
        "machine": to_json(machine),
        "arch": arch,
        "weights_sha256": sha256_of(weights),
        "images_sha256": sha256_of(exchange.folder / "inputs.npy"),
        "calibration_images": calibration_images,
        "rounds": rounds,
        "queries_per_round": queries,
        "reference": REFERENCE,
        "models": {
            name: {
                "title": entry.title,
                "file": entry.file,
                "sha256": sha256_of(entry.path(exchange)),
                "bytes": sizes[name],
                "threads": {
                    count: _measured(rows[count], done, name) for count, done in comparisons.items()
                },
            }
            for name, entry in entries.items()
        },
        "absent": absent,
    }
    write_json(out / "peers.json", result)
    write_text(out / "peers.md", f"{table}\n")
    click.echo(table)
    if machine.background_load:
        click.echo(f"Meanwhile other processes kept {machine.background_load:.2f} cores busy")
    click.echo(f"{out / 'peers.md'}, and every query in {out / 'peers.json'}")


def _parse_threads(text: str) -> list[int]:
    """Return the numbers of threads in a comma-separated list, in order."""
    parts = {part.strip() for part in text.split(",")}
    if not all(part.isdecimal() and int(part) for part in parts):
        raise EdgeclfError(f"{text!r}: no list of numbers of threads; give for example 1,2")
    return sorted(map(int, parts))


def _participants(
    python: Path, exchange: Exchange, work: Path
) -> tuple[dict[str, Entry], dict[str, str]]:
    """Return who takes part, and by their titles why others do not."""
    try:
        drawn = add_yolo(python, exchange, work=work).drawn
    except EdgeclfError as error:
        echo_warning(f"given up: {error}")
        ours = {name: entry for name, entry in ENTRIES.items() if not entry.other}
        return ours, ABSENT | {MODEL: str(error)}
    return {
        name: replace(entry, title=f"{entry.title}, drawn weights", drawn=True)
        if entry.other and drawn
        else entry
        for name, entry in ENTRIES.items()
    }, ABSENT


def _rows(entries: dict[str, Entry], done: Comparison, exchange: Exchange) -> dict[str, Row]:
    truth, float_guess = exchange.truth.tolist(), exchange.reference.argmax(1).tolist()
    rows = rows_of(done, reference=REFERENCE, truth=truth, float_guess=float_guess)
    return {
        name: of_another_network(row, drawn=entries[name].drawn) if entries[name].other else row
        for name, row in rows.items()
    }


def _compare(
    entries: dict[str, Entry],
    python: Path,
    exchange: Exchange,
    counts: list[int],
    *,
    rounds: int,
    queries: int,
) -> dict[int, Comparison]:
    """Compare all that can run on each number of threads; note why the others cannot."""
    left_out = {count: _left_out(entries, count) for count in counts}
    comparisons = compare(
        {
            count: {
                name: entry.command(python, exchange, threads=count)
                for name, entry in entries.items()
                if name not in left_out[count]
            }
            for count in counts
        },
        exchange.scored(0).tolist(),
        rounds=rounds,
        queries=queries,
        env=silent_environment(),
    )
    for count, done in comparisons.items():
        done.failures.update(left_out[count])
    return comparisons


def _left_out(entries: dict[str, Entry], threads: int) -> dict[str, str]:
    """Return who cannot run on so many threads, or on this machine at all, and why."""
    network = no_network_failure()
    why = {}
    for name, entry in entries.items():
        if entry.reports and network:
            why[name] = network
        elif entry.most_threads is not None and threads > entry.most_threads:
            why[name] = f"runs on {entry.most_threads} only, it has no setting"
    return why


def _measured(rows: dict[str, Row], done: Comparison, name: str) -> dict[str, Any]:
    if name not in rows:
        return {"failure": done.failures[name]}
    rounds = [
        asdict(round_) | {"images": list(round_.best), "best": list(round_.best.values())}
        for round_ in done.rounds_of[name]
    ]
    result: dict[str, Any] = to_json(rows[name])
    return result | {"rounds": rounds}


if __name__ == "__main__":
    try:
        main()
    except EdgeclfError as error:
        sys.exit(f"Error: {error}")
