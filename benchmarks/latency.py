"""Latency of models side by side on a machine that is never quite still."""

from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter_ns

import click
import numpy as np
from numpy.typing import NDArray

from .contenders import Contender

_WARM_UP = 5
_BLOCK = 5


@dataclass(frozen=True)
class Latency:
    """How long inferences took, in milliseconds: one query after another, from uint8 input to
    scores, without decoding and resizing.

    Attributes:
        p50_ms: half of the queries took at most this.
        p90_ms: nine in ten took at most this.
        mean_ms: of all queries.
        queries: how many were timed.
    """

    p50_ms: float
    p90_ms: float
    mean_ms: float
    queries: int


def measure_latency(
    contenders: Sequence[Contender], inputs: NDArray[np.uint8], *, queries: int, seed: int = 0
) -> list[Latency]:
    """Time `queries` inferences of each model, in short blocks whose order is drawn anew.

    When the machine slows down for a while, it slows all models alike. Every query is kept.

    Args:
        contenders: the models.
        inputs: RGB uint8 of shape (images, height, width, 3), taken in turn.
        queries: per model.
        seed: of the order.
    """
    rng = np.random.default_rng(seed)
    times: list[list[int]] = [[] for _ in contenders]
    for contender in contenders:
        for image in inputs[:_WARM_UP]:
            contender.scores(image)
    with click.progressbar(length=queries * len(contenders), label="Timing") as bar:
        for start in range(0, queries, _BLOCK):
            for index in rng.permutation(len(contenders)):
                for query in range(start, min(start + _BLOCK, queries)):
                    image = inputs[query % len(inputs)]
                    begin = perf_counter_ns()
                    contenders[index].scores(image)
                    times[index].append(perf_counter_ns() - begin)
                    bar.update(1)
    return [_summarize(np.asarray(ns) / 1e6) for ns in times]


def _summarize(ms: NDArray[np.float64]) -> Latency:
    p50, p90 = np.percentile(ms, [50, 90], method="inverted_cdf")  # the nearest rank
    return Latency(float(p50), float(p90), float(ms.mean()), len(ms))
