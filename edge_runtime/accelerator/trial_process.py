"""The process in which an accelerator is tried; `trial.py` starts it.

python -m edgeclf.edge_runtime.accelerator.trial_process ORDER

It writes JSON objects, one a line: `step`, what it does next, and in the end `trial` (the fields of
`Trial`), `refused` (why), `no_delegate` or `error`.
"""

import json
import os
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import EdgeclfError
from ..images import RGBImage
from ..model_file.container import read_model
from ..model_file.model_tensors import ModelTensors
from ..model_file.self_test import GRIDS, run_self_test, synthetic_input
from ..model_file.spec import ModelSpec
from ..tflite.compiled_model import CompiledModelInterpreter
from ..tflite.interpreter import Interpreter, open_interpreter
from .accelerator import Accelerator
from .opening import NoDelegateError, open_on
from .trial import Trial

_INPUTS = 9
_FIRST_SEED = 100  # the self-test's are lower
_WARM_UP, _LEAST_PAIRS, _MOST_PAIRS = 2, 7, 50
_TIMED_SECONDS = 1.0

Say = Callable[..., None]


def work(order: dict[str, Any], say: Say) -> None:
    """Try the accelerator of `order`, and `say` what is found."""
    accelerator = Accelerator.from_json(order["accelerator"])
    path, threads = Path(order["model"]), int(order["threads"])
    data, spec = read_model(path)
    try:
        cpu: Interpreter | None = open_interpreter(
            data, name=str(path), threads=threads, runtime=order["runtime"]
        )
    except EdgeclfError:  # compiled for the accelerator, it holds what the CPU does not know
        cpu = None
    say(step="loads the model")
    try:
        other = open_on(accelerator, data, threads=threads)
        say(step="computes")
        trial = measure(cpu, other, spec, name=str(path))
    except NoDelegateError as error:
        say(no_delegate=str(error))
    except EdgeclfError as error:
        say(refused=str(error))
    except (ValueError, RuntimeError) as error:  # an inference that the accelerator gives up
        lines = str(error).splitlines() or ["no reason given"]
        say(refused=f"it fails when it computes: {lines[0]:.200}")
    else:
        say(trial=asdict(trial), step="ends")


def measure(cpu: Interpreter | None, other: Interpreter, spec: ModelSpec, *, name: str) -> Trial:
    """Compute the self-test and drawn images on `other`, and the latter on `cpu` too.

    Args:
        cpu: computes the model on the CPU; None where nothing does.
        other: computes it on the accelerator.
        spec: of the model.
        name: of the model, for errors.
    """
    test = None
    if spec.self_test is not None:
        test = run_self_test(other, spec.self_test, accelerated=True)
    tensors = [ModelTensors(each, spec, name=name) for each in (other, cpu) if each is not None]
    differences: list[float] = []
    other_class = 0
    pixels = trial_inputs(spec.input_hw)
    for image in pixels if cpu is not None else ():
        (scores, features), (expected, known) = (_answer(each, image) for each in tensors)
        differences += [_apart(scores, expected), _apart(features, known)]
        other_class += int(scores.argmax() != expected.argmax())
    times = _seconds(tensors, pixels[0])
    pairs = [one / beside for one, beside in zip(*times, strict=True)] if cpu is not None else []
    whole = other.whole if isinstance(other, CompiledModelInterpreter) else None
    return Trial(
        self_test=None if test is None else test.passed,
        inputs=0 if cpu is None else len(pixels),
        other_class=other_class,
        largest_difference=max(differences, default=0.0),
        ms=1000 * median(times[0]),
        cpu_ms=1000 * median(times[1]) if cpu is not None else None,
        ratio=median(pairs) if pairs else None,
        whole=whole,
    )


def trial_inputs(size_hw: tuple[int, int]) -> list[RGBImage]:
    """Return the drawn images of a trial, uint8 of shape (height, width, 3) each."""
    return [
        synthetic_input(_FIRST_SEED + place, grid=GRIDS[place % len(GRIDS)], size_hw=size_hw)
        for place in range(_INPUTS)
    ]


def _answer(
    tensors: ModelTensors, image: RGBImage
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the scores, and the features as shares of the largest one, if there are any."""
    output, features, _ = tensors.compute(image, with_features=tensors.has_features)
    if features is None:
        return tensors.dequantize(output), np.zeros(1, np.float32)
    means = tensors.mean_features(features)
    return tensors.dequantize(output), means / max(float(np.abs(means).max()), 1e-6)


def _apart(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    return float(np.nan_to_num(np.abs(one - other), nan=np.inf).max())


def _seconds(tensors: list[ModelTensors], image: RGBImage) -> list[list[float]]:
    """Return how long inferences of each took, in turns; reading the output included."""
    times: list[list[float]] = [[] for _ in tensors]
    rounds = 0
    while rounds < _WARM_UP + _LEAST_PAIRS or (
        rounds < _MOST_PAIRS and sum(map(sum, times)) < _TIMED_SECONDS
    ):
        turn = range(len(tensors)) if rounds % 2 else reversed(range(len(tensors)))
        for place in turn:
            seconds = tensors[place].compute(image)[2]
            if rounds >= _WARM_UP:
                times[place].append(seconds)
        rounds += 1
    return times


def main() -> None:
    """Work for the process that reads standard output."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # libraries print

    def say(**report: object) -> None:
        print(json.dumps(report), file=answers, flush=True)

    try:
        work(json.loads(sys.argv[1]), say)
    except EdgeclfError as error:
        say(error=str(error))


if __name__ == "__main__":
    main()
