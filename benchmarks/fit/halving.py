"""How a fit spends its time: successive halving, as functions of numbers.

Jamieson and Talwalkar, Non-stochastic best arm identification and hyperparameter optimization,
AISTATS 2016: all candidates get a few epochs, the best share of them gets several times as many,
and so on. A training goes on from its checkpoint, so that no epoch is trained twice.

The first rung of a pretrained network trains its head on the frozen backbone: the backbone answers
a few draws of each image, and is not trained. Networks rank much the same frozen and fine-tuned:
over 16 of them and 12 data sets, the accuracy of either goes with that on ImageNet (correlation
0.99 and 0.96: Kornblith, Shlens and Le, Do better ImageNet models transfer better?, CVPR 2019).
"""

from collections.abc import Mapping, Sequence
from math import ceil
from statistics import mean

RUNGS = 3
_GROWTH = 4  # of the epochs of the whole network from one rung to the next
_PROMOTED = 3  # one of so many goes on
_LEAST = 3  # candidates that go on where there are so many, so that the answer has a front
# By which share of the time each rung starts no further candidate.
_DEADLINES = (0.45, 0.7, 1.0)


def rung_epochs(epochs: int, *, head_epochs: int) -> tuple[int, ...]:
    """Return after how many epochs of all phases each rung ends.

    Args:
        epochs: of the whole network in the last rung.
        head_epochs: of the head alone; 0 for a network that is trained from scratch, whose first
            rung is a share of its epochs instead.
    """
    shares = range(RUNGS - 1, -1, -1)
    whole = [ceil(epochs / _GROWTH**share) for share in shares]
    if head_epochs:
        whole[0] = 0
    return tuple(head_epochs + each for each in whole)


def promoted(losses: Mapping[str, float]) -> list[str]:
    """Return the candidates that go on, the best first, by their validation losses."""
    count = max(ceil(len(losses) / _PROMOTED), _LEAST)
    return sorted(losses, key=lambda name: losses[name])[:count]


def rung_counts(candidates: int) -> list[int]:
    """Return how many candidates each rung trains."""
    counts = [candidates]
    for _ in range(RUNGS - 1):
        counts.append(len(promoted(dict.fromkeys(map(str, range(counts[-1])), 0.0))))
    return counts


def has_time(rung: int, durations: Sequence[float], *, spent_s: float, limit_s: float) -> bool:
    """Return whether a rung starts one more candidate; each rung has one in any case.

    Args:
        rung: from 0.
        durations: of the candidates that it has trained, in seconds.
        spent_s: on the whole fit so far.
        limit_s: for the whole fit.
    """
    if not durations:
        return True
    return spent_s + mean(durations) <= limit_s * _DEADLINES[rung]


def seconds_left(
    counts: Sequence[int], durations: Sequence[Sequence[float]], *, spent_s: float, limit_s: float
) -> float | None:
    """Return about how long the rungs still take; None where nothing is known yet.

    Args:
        counts: candidates of each rung.
        durations: of those that each has trained, in seconds. A rung without any is taken to need
            twice as long for a candidate as the one before.
        spent_s: on the whole fit so far.
        limit_s: for the whole fit.
    """
    total, each = 0.0, 0.0
    for count, known in zip(counts, durations, strict=True):
        each = mean(known) if known else 2 * each
        if not each:
            return None
        total += max(count - len(known), 0) * each
    return min(total, max(limit_s - spent_s, 0.0))


def pareto_front(points: Sequence[tuple[float, float]]) -> list[int]:
    """Return the indices of the points that no other beats, by their latency.

    Args:
        points: latency, of which less is better, and accuracy, of which more is better.
    """
    order = sorted(range(len(points)), key=lambda i: (points[i][0], -points[i][1]))
    front: list[int] = []
    for index in order:
        if not front or points[index][1] > points[front[-1]][1]:
            front.append(index)
    return front
