"""A model in a process of its own, which does what the benchmark asks of it.

python -m edgeclf.benchmarks.measure.worker MODEL THREADS RUNTIME [ACCELERATOR]

It says `ready` once its libraries are imported, then answers each message of standard input on
standard output:

    open    image           loads the model and classifies the image: delegate, load_ms, first_ms
    query   images          one after another: their stages, float64 milliseconds (images, 4)
    score   shape, pixels   float32 scores (images, classes); unknown: indices of images, or null
    memory                  peak_memory_bytes, steady_memory_bytes

What the user can mend comes back as `error`; then it ends, as it does when standard input does.
"""

import os
import sys
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from time import perf_counter_ns
from typing import IO, cast

import numpy as np
from numpy.typing import NDArray

from ...edge_runtime.accelerator.accelerator import Accelerator
from ...edge_runtime.errors import EdgeclfError
from ...edge_runtime.images import decode_image
from ...edge_runtime.preprocess import preprocess
from ...edge_runtime.quiet import quiet_opencv
from ...edge_runtime.tflite.interpreter import Runtime
from .loaded_models import LoadedModel, import_libraries, load_model
from .memory import memory_of_process
from .messages import Message, receive, send


def work(load: Callable[[], LoadedModel], *, requests: IO[bytes], answers: IO[bytes]) -> None:
    """Answer `requests` on the model that `load` opens, until they end."""
    send(answers, {"ready": True})
    loaded: LoadedModel | None = None
    while (received := receive(requests)) is not None:
        message, payload = received
        if message["do"] == "open":
            loaded, opened = _open(load, image=Path(message["image"]))
            send(answers, opened)
            continue
        assert loaded is not None
        if message["do"] == "query":
            images = [Path(image) for image in message["images"]]
            send(answers, {}, b"".join(_query(loaded, image).tobytes() for image in images))
        elif message["do"] == "score":
            inputs = np.frombuffer(payload, np.uint8).reshape(message["shape"])
            scores, unknown = loaded.score(inputs)
            send(answers, {"unknown": unknown}, scores.astype(np.float32).tobytes())
        else:
            peak, steady = memory_of_process()
            send(answers, {"peak_memory_bytes": peak, "steady_memory_bytes": steady})


def _open(load: Callable[[], LoadedModel], *, image: Path) -> tuple[LoadedModel, Message]:
    start = perf_counter_ns()
    loaded = load()
    load_ms = (perf_counter_ns() - start) / 1e6
    first_ms = float(_query(loaded, image)[2:].sum())
    delegate = asdict(loaded.delegate) if loaded.delegate else None
    return loaded, {"delegate": delegate, "load_ms": load_ms, "first_ms": first_ms}


def _query(loaded: LoadedModel, path: Path) -> NDArray[np.float64]:
    """Return how long decode, preprocess, invoke and postprocess took, in milliseconds."""
    data = _read(path)
    ticks = [perf_counter_ns()]
    rgb = decode_image(data, name=str(path))
    ticks.append(perf_counter_ns())
    model_input = preprocess(rgb, size_hw=loaded.input_hw, rule=loaded.resize)
    ticks.append(perf_counter_ns())
    output = loaded.infer(model_input)
    ticks.append(perf_counter_ns())
    loaded.finish(output).argmax()
    ticks.append(perf_counter_ns())
    return np.diff(ticks) / 1e6


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise EdgeclfError(f"{path}: cannot be read any more ({error.strerror})") from None


def main() -> None:
    """Work for the process that holds the pipes."""
    # Libraries that print must not print into the answers.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    quiet_opencv()
    try:
        path, threads, runtime = Path(sys.argv[1]), int(sys.argv[2]), cast(Runtime, sys.argv[3])
        accelerator = Accelerator.from_json(sys.argv[4]) if sys.argv[4:] else None
        import_libraries(path, runtime=runtime)
        load = partial(load_model, path, threads=threads, runtime=runtime, accelerator=accelerator)
        work(load, requests=sys.stdin.buffer, answers=answers)
    except EdgeclfError as error:
        send(answers, {"error": str(error)})
    except BrokenPipeError:  # whoever asked is gone
        os._exit(1)


if __name__ == "__main__":
    main()
