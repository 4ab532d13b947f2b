"""An entry in a process of its own: it opens its model, then answers what it is asked.

    python -m edgeclf.benchmarks.peers.worker RUNTIME MODEL INPUTS NORMALISATION THREADS

Runs in the peers' environment; `comparison.py` starts it and exchanges messages with it
(`messages.py`):

    it says    version, load_ms, first_ms, peak_bytes
    it hears   images: their places, a block
    it says    ms of each query, best: the class indices, cpu_ms, peak_bytes

until there is nothing more to hear.
"""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter_ns, process_time_ns
from typing import IO, Any

import numpy as np

from edgeclf.benchmarks.measure.memory import memory_of_process
from edgeclf.benchmarks.measure.messages import receive, send
from edgeclf.benchmarks.peers.runtimes import RUNTIMES, Normalisation
from edgeclf.edge_runtime.files import read_json

_WARM_UP = 5

Query = Callable[[Any], Any]


def main(runtime_name: str, model: Path, inputs: Path, normalisation: Path, threads: int) -> None:
    """Open the model and answer, block after block."""
    answers = _take_stdout()
    runtime = RUNTIMES[runtime_name]
    begin = perf_counter_ns()
    query = runtime.open(model, threads=threads)
    load_ms = _since(begin)
    normalise = Normalisation(**read_json(normalisation)) if runtime.normalised else None
    first, *_ = _images(inputs, [0], normalise)
    begin = perf_counter_ns()
    query(first)
    first_ms = _since(begin)
    for _ in range(_WARM_UP - 1):
        query(first)
    answer = {"version": runtime.version, "load_ms": load_ms, "first_ms": first_ms}
    send(answers, answer | {"peak_bytes": memory_of_process()[0]})
    while (received := receive(sys.stdin.buffer)) is not None:
        answer = _block(query, _images(inputs, received[0]["images"], normalise))
        send(answers, answer | {"peak_bytes": memory_of_process()[0]})


def _block(query: Query, images: list[Any]) -> dict[str, Any]:
    """Time a query of each image, after one that brings the model back into the caches."""
    query(images[0])
    ms, best = [], []
    cpu = process_time_ns()
    for image in images:
        begin = perf_counter_ns()
        answer = query(image)
        ms.append(_since(begin))
        best.append(int(answer.argmax()) if isinstance(answer, np.ndarray) else answer)
    return {"ms": ms, "best": best, "cpu_ms": (process_time_ns() - cpu) / 1e6}


def _images(inputs: Path, places: list[int], normalise: Normalisation | None) -> list[Any]:
    """Return the images at `places` as the model takes them; the others stay in the file."""
    images = np.load(inputs, mmap_mode="r")[places]
    return [normalise(image[np.newaxis]) if normalise else image for image in images]


def _take_stdout() -> IO[bytes]:
    """Return what writes to standard output, and lead all chatter to standard error instead."""
    ours = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return ours


def _since(begin: int) -> float:
    return (perf_counter_ns() - begin) / 1e6


if __name__ == "__main__":
    _, name, file, photographs, constants, count = sys.argv
    main(name, Path(file), Path(photographs), Path(constants), int(count))
