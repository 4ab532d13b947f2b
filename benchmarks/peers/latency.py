"""Ours and the rivals' on one thread, side by side.

Runs in the rivals' environment; `accuracy.py` starts it.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter_ns
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from edgeclf.benchmarks.rivals.exchange import Exchange
from edgeclf.benchmarks.rivals.figures import TITLES
from edgeclf.benchmarks.rivals.rivals import RIVALS, normalise
from edgeclf.benchmarks.rivals.tflite import open_tflite
from edgeclf.edge_runtime.files import write_json
from edgeclf.edge_runtime.table import format_table

_OURS = "rounding"
_IMAGES = 20
_BLOCK = 5

Query = Callable[[int], object]


def main(folder: Path, queries: int) -> None:
    """Time the models of seed 0, print the table and write latency.json."""
    timed = _time(_contenders(Exchange(folder)), queries)
    told = {
        name: {
            "p50_ms": float(np.median(ms)),
            "p90_ms": float(np.percentile(ms, 90)),
            "ratio": float(np.median(ms) / np.median(timed[_OURS])),
            "queries": len(ms),
        }
        for name, ms in timed.items()
    }
    write_json(folder / "latency.json", told)
    rows = [
        [TITLES[name], *(f"{one[key]:.2f}" for key in ("p50_ms", "p90_ms", "ratio"))]
        for name, one in told.items()
    ]
    click.echo(format_table(["model, one thread", "p50 ms", "p90 ms", "ratio to ours"], rows))


def _contenders(exchange: Exchange) -> dict[str, Query]:
    """Return what runs the image of that number through each model.

    The rivals' images are normalised beforehand, which costs them nothing; ours do it inside.
    """
    images = exchange.inputs[exchange.scored(0)[:_IMAGES]]
    normalised = normalise(exchange.graph, images)[:, np.newaxis]
    queries: dict[str, Query] = {}
    for name in ("tflite", _OURS):
        path = exchange.model(f"{name}.tflite", 0)
        queries[name] = _query(open_tflite(path, threads=1), images)
    for name, (_, opened, file) in RIVALS.items():
        queries[name] = _query(opened(exchange.model(file, 0), threads=1), normalised)
    return queries


def _query(score: Callable[[NDArray[Any]], object], images: NDArray[Any]) -> Query:
    return lambda index: score(images[index])


def _time(contenders: dict[str, Query], queries: int) -> dict[str, NDArray[np.float64]]:
    """Return the milliseconds of each query, in short blocks whose order is drawn anew."""
    rng = np.random.default_rng(0)
    times: dict[str, list[int]] = {name: [] for name in contenders}
    for query in contenders.values():
        for index in range(_BLOCK):
            query(index)
    names = list(contenders)
    with click.progressbar(range(0, queries, _BLOCK), label="Timing") as bar:
        for _ in bar:
            for name in rng.permutation(names):
                for _ in range(_BLOCK):
                    index = len(times[name]) % _IMAGES
                    begin = perf_counter_ns()
                    contenders[name](index)
                    times[name].append(perf_counter_ns() - begin)
    return {name: np.asarray(ns) / 1e6 for name, ns in times.items()}


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
