"""The comparison of models on the same real images."""

import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from .. import __version__
from ..edge_runtime.errors import EdgeclfError
from ..edge_runtime.interpreter import runtime_name
from ..edge_runtime.scoring import Scores, agreement, drop_points, score_predictions
from ..edge_runtime.table import format_table
from ..models.photographs import Photographs, load_photographs
from .contenders import Contender
from .latency import Latency, measure_latency
from .memory import measure_peak_memory

SCHEMA = 1


@dataclass(frozen=True)
class Row:
    """What was measured of a model.

    Attributes:
        name: how the table calls it.
        recipe: how it was quantized.
        bytes: size of its file.
        scores: accuracy and what stands behind it.
        drop_points: accuracy lost against the reference, in percentage points.
        agreement: share of images on which it names the reference's class.
        latency: of single queries.
        peak_memory_bytes: of a process that loads and runs it.
    """

    name: str
    recipe: str
    bytes: int
    scores: Scores
    drop_points: float | None
    agreement: float | None
    latency: Latency
    peak_memory_bytes: int


def compare(
    contenders: Sequence[Contender], photographs: Photographs, *, queries: int, threads: int
) -> list[Row]:
    """Score and time `contenders` on `photographs`.

    The reference of drop and agreement is the float Keras model, else the first float32 one.

    Raises:
        EdgeclfError: the models differ in classes or input, or no image can be read.
    """
    first = contenders[0]
    for other in contenders[1:]:
        for what in ("labels", "input_hw", "resize"):
            if getattr(other, what) != getattr(first, what):
                raise EdgeclfError(
                    f"{other.path}: its {what} {getattr(other, what)} are not those of "
                    f"{first.path}, {getattr(first, what)}; compare models of one run"
                )
    inputs, labels = load_photographs(photographs, size_hw=first.input_hw, rule=first.resize)
    truth = np.asarray([first.labels.index(label) for label in labels])
    guesses = [_guess(contender, inputs) for contender in contenders]
    latencies = measure_latency(contenders, inputs, queries=queries)
    reference = _reference(contenders, guesses)
    return [
        Row(
            name=contender.name,
            recipe=contender.recipe,
            bytes=contender.bytes,
            scores=score_predictions(truth, guess, labels=first.labels),
            drop_points=None
            if reference is None
            else drop_points(truth, reference=reference, guess=guess),
            agreement=None if reference is None else agreement(reference, guess),
            latency=latency,
            peak_memory_bytes=measure_peak_memory(contender.path, threads=threads),
        )
        for contender, guess, latency in zip(contenders, guesses, latencies, strict=True)
    ]


def comparison_table(rows: Sequence[Row]) -> str:
    """Return the rows as a table for the terminal."""
    header = [
        "model", "top-1", "macro-F1", "drop (points)", "agreement",
        "p50 ms", "p90 ms", "file MB", "peak MB",
    ]  # fmt: skip
    return format_table(
        header,
        [
            [
                row.name,
                f"{row.scores.accuracy:.3f}",
                f"{row.scores.macro_f1:.3f}",
                "—" if row.drop_points is None else f"{row.drop_points:+.2f}",
                "—" if row.agreement is None else f"{row.agreement:.3f}",
                f"{row.latency.p50_ms:.2f}",
                f"{row.latency.p90_ms:.2f}",
                f"{row.bytes / 1e6:.2f}",
                f"{row.peak_memory_bytes / 1e6:.0f}",
            ]
            for row in rows
        ],
    )


def comparison_json(rows: Sequence[Row], *, data: str, threads: int) -> dict[str, Any]:
    """Return the comparison as a JSON object, with the machine it was made on."""
    return {
        "schema": SCHEMA,
        "edgeclf_version": __version__,
        "data": data,
        "threads": threads,
        "machine": {
            "platform": platform.platform(),
            "processor": platform.machine(),
            "python": platform.python_version(),
            "runtime": runtime_name(),
            "numpy": version("numpy"),
        },
        "models": [
            vars(row) | {"scores": row.scores.to_json(), "latency": asdict(row.latency)}
            for row in rows
        ],
    }


def _guess(contender: Contender, inputs: NDArray[np.uint8]) -> NDArray[np.intp]:
    with click.progressbar(inputs, label=f"Scoring {contender.name}") as bar:
        return np.asarray([contender.scores(image).argmax() for image in bar])


def _reference(
    contenders: Sequence[Contender], guesses: Sequence[NDArray[np.intp]]
) -> NDArray[np.intp] | None:
    for recipe in ("keras", "float32"):
        for contender, guess in zip(contenders, guesses, strict=True):
            if contender.recipe == recipe:
                return guess
    return None
