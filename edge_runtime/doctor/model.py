"""A model on this machine: who computes it, whether it computes what it should, and how fast."""

from collections.abc import Iterator
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np

from ..classifier import Classifier
from ..errors import EdgeclfError
from ..tflite.interpreter import default_threads, delegated_parts, names_xnnpack
from ..tflite.runtime_versions import on_32_bits
from .check import Check, ok

_TIMED = 10
_TIMED_SECONDS = 3.0


def model_checks(path: Path, *, accelerator: str = "cpu") -> Iterator[Check]:
    """Yield how the model at `path` fares here, on the CPU and on the accelerator."""
    try:
        classifier = Classifier(path)
    except EdgeclfError as error:
        yield _failure("model", error)
        return
    spec = classifier.spec
    size = "×".join(map(str, spec.input_hw[::-1]))
    yield ok("model", f"{path.name}: {spec.architecture}, {spec.recipe}, {size}")
    yield _delegate(classifier)
    yield _self_test(classifier)
    yield _inference(classifier)
    if accelerator != "cpu":
        yield _acceleration(path, accelerator)


def _acceleration(path: Path, accelerator: str) -> Check:
    try:
        acceleration = Classifier(path, accelerator=accelerator).acceleration
    except EdgeclfError as error:
        return _failure("accelerator", error)
    assert acceleration is not None
    detail = str(acceleration).removeprefix("accelerator ")
    if acceleration.is_refused:
        mend = "leave --accelerator out; docs/device/accelerators.md says what is tried"
        return Check("accelerator", "warning", detail, mend)
    return ok("accelerator", detail)


def _failure(name: str, error: EdgeclfError) -> Check:
    detail, _, mend = str(error).rpartition("; ")
    return Check(name, "failed", detail, mend) if detail else Check(name, "failed", mend)


def _delegate(classifier: Classifier) -> Check:
    parts = delegated_parts(classifier.interpreter)
    if parts:
        # It announces itself once a process.
        name = "XNNPACK" if names_xnnpack(classifier.notices) else "a delegate"
        return ok("delegate", f"{name} runs {parts} part{'' if parts == 1 else 's'} of the graph")
    mend = "pip install --upgrade ai-edge-litert; convert the model again with this edgeclf"
    if on_32_bits():
        mend = "a 64-bit system: 32-bit ones have no runtime with it"
    detail = "XNNPACK does not run the model: plain kernels are many times slower"
    return Check("delegate", "warning", detail, mend)


def _self_test(classifier: Classifier) -> Check:
    if classifier.spec.self_test is None:
        mend = "convert the model again"
        return Check("self-test", "warning", "the file carries none", mend)
    try:
        result = classifier.self_test()
    except EdgeclfError as error:
        return _failure("self-test", error)
    if not result.passed:
        detail = f"{result.different} of {result.values} values are not those of the conversion"
        mend = "copy the file again, or use another runtime"
        return Check("self-test", "failed", detail, mend)
    same = "the same bit for bit" if not result.different else f"within {result.tolerance:g}"
    return ok("self-test", f"{result.values} values of {result.inputs} inputs: {same}")


def _inference(classifier: Classifier) -> Check:
    model_input = np.zeros((*classifier.spec.input_hw, 3), np.uint8)
    times: list[float] = []
    while len(times) < _TIMED and sum(times) < _TIMED_SECONDS:
        start = perf_counter()
        classifier.infer(model_input)
        times.append(perf_counter() - start)
    # The self-test has warmed it up.
    detail = f"{median(times) * 1000:.1f} ms, the median of {len(times)}"
    return ok("inference", f"{detail}, on {default_threads()} threads")
