"""A model on an emulated board: what is checked, and what is counted."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeclf.edge_runtime.classifier import Classifier
from edgeclf.edge_runtime.errors import EdgeclfError
from edgeclf.edge_runtime.images import read_image
from edgeclf.edge_runtime.model_file.self_test import SelfTest
from edgeclf.edge_runtime.prediction import Prediction

from .boards import Board
from .emulator import Emulator
from .probe import probe
from .subjects import model_file, photographs

_PROBE = Path(__file__).with_name("probe.py")

_INFERENCES = 3

# Two inferences of one process do the same; more than this apart, something else was counted.
_REPEATABLE = 0.001


@dataclass(frozen=True)
class Measurement:
    """A model file on a board. Every check has passed: what fails one is an error.

    Attributes:
        model: the architecture.
        recipe: how it was quantized.
        board: name of the board.
        inference: instructions of one inference on one thread.
        start: instructions of `edgeclf run` with one photograph, on one thread, from the start of
            Python to its end, with compiled bytecode at hand.
        peak_bytes: peak memory of a process that loads the model and runs it.
        delegated_parts: of the graph, which XNNPACK runs; never 0.
        values: how many values of the output were compared with this machine's.
        different: how many of them were not the same.
        largest_difference: of any value, in the output's own unit.
    """

    model: str
    recipe: str
    board: str
    inference: int
    start: int
    peak_bytes: int
    delegated_parts: int
    values: int
    different: int
    largest_difference: float


def measure(
    emulator: Emulator, board: Board, *, model: str, recipe: str, subject: Path
) -> Measurement:
    """Run a model file on the board: `edgeclf run`, and the probe with the file's self-test.

    Args:
        emulator: the system.
        board: as which it runs.
        model: the architecture.
        recipe: of the file.
        subject: the folder that `make_model` made.

    Raises:
        EdgeclfError: the board does not compute what it should, or not as it should.
    """
    file, images = model_file(subject, recipe), photographs(subject)
    where = f"{model} {recipe} on {board.title}"
    classifier = Classifier(file, threads=1)
    words = ("edgeclf", "run", file, images[0], "--json", "--threads", "1")
    run = emulator.python(board, "-m", *words)
    _check_answer(where, json.loads(run.stdout), classifier.classify(read_image(images[0])))
    seen, inference = _probed(emulator, board, where, file=file, images=images)
    if not seen["self_test"]:
        raise EdgeclfError(f"{where}: the self-test that the file carries fails")
    differences = np.abs(np.subtract(seen["outputs"], probe(file, images)["outputs"]))
    _check_differences(where, differences, classifier.spec.self_test)
    return Measurement(
        model=model,
        recipe=recipe,
        board=board.name,
        inference=inference,
        start=run.instructions[-1],
        peak_bytes=seen["peak_bytes"],
        delegated_parts=seen["delegated_parts"],
        values=differences.size,
        different=int(np.count_nonzero(differences)),
        largest_difference=float(differences.max()),
    )


def count_inference(emulator: Emulator, board: Board, *, file: Path, image: Path) -> int:
    """Return the instructions of one inference of a model file on the board, on one thread.

    Args:
        emulator: the system.
        board: as which it runs.
        file: of any model.
        image: what it sees.

    Raises:
        EdgeclfError: it cannot be run there, without XNNPACK, or another processor was emulated.
    """
    where = f"{file} on {board.title}"
    return _probed(emulator, board, where, file=file, images=[image] * _INFERENCES)[1]


def _probed(
    emulator: Emulator, board: Board, where: str, *, file: Path, images: list[Path]
) -> tuple[dict[str, Any], int]:
    """Return what the probe sees of a model file on the board, and instructions of an inference."""
    probed = emulator.python(board, _PROBE, file, *images)
    seen = json.loads(probed.stdout)
    _check_processor(where, board, seen)
    if not seen["delegated_parts"]:
        raise EdgeclfError(f"{where}: XNNPACK is not active; {seen['runtime']} ran plain kernels")
    return seen, _inference(where, probed.instructions)


def _check_answer(where: str, answer: dict[str, Any], expected: Prediction) -> None:
    if answer["label"] != expected.label:
        raise EdgeclfError(
            f"{where}: edgeclf run says {answer['label']!r}, and {expected.label!r} on x86-64"
        )


def _check_differences(where: str, differences: NDArray[np.float64], test: SelfTest | None) -> None:
    """Allow what the model's self-test allows: nothing where all is integer."""
    assert test is not None
    if not (differences <= test.tolerance).all():
        raise EdgeclfError(
            f"{where}: {np.count_nonzero(differences)} of {differences.size} values are not those "
            f"of x86-64, by {differences.max():g} at most ({test.tolerance:g} allowed)"
        )


def _check_processor(where: str, board: Board, seen: dict[str, Any]) -> None:
    """Make sure that /proc/cpuinfo and the emulated processor are both the board's."""
    if (seen["cpu_part"], seen["has_dot_product"]) != (board.part, board.has_dot_product):
        dot_product = "with" if seen["has_dot_product"] else "without"
        raise EdgeclfError(
            f"{where}: ran on the CPU part {seen['cpu_part']} {dot_product} the dot product, which "
            f"is no {board.cpu}; see /proc/cpuinfo in boards.py"
        )


def _inference(where: str, instructions: tuple[int, ...]) -> int:
    """Return the instructions between the last two marks, the exit's count being the very last.

    The first inference sets things up. All others must take the same.
    """
    counts = np.diff(instructions[:-1])[::2][1:]
    if np.ptp(counts) > _REPEATABLE * counts.min():
        raise EdgeclfError(f"{where}: the count is not repeatable: {', '.join(map(str, counts))}")
    return int(counts[-1])
