"""From the scores of each frame to a label that does not flicker, and to what changed."""

import math
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..errors import EdgeclfError
from ..model_file.spec import check_thresholds
from ..novelty.model import Novelty
from ..prediction import UNKNOWN, explain_novelty, least_scores, refusal
from .observation import Decision, Event

_UNKNOWN = -1  # the place of `unknown` among the labels

# A deviate of novelty counts for so many times its limit at the most, so that an average leaves
# `unknown` as soon as it gets there.
_MOST_LIMITS, _MOST_DEVIATE = 2, 10.0


@dataclass(frozen=True)
class DecisionConfig:
    """What it takes to believe a label.

    A class is sure enough when its smoothed score reaches its threshold; the best of those is the
    label, `unknown` if there is none, or if the smoothed novelty is above its limit. So a low
    threshold of a class counts only where the others' are higher than what they get.

    Attributes:
        threshold: of the classes that have none of their own, 0 to 1.
        class_thresholds: by label, 0 to 1.
        smooth_s: time constant of the scores' exponential average, in seconds; 0 for none.
        vote: (k, n) for a label that k of the last n frames must agree on, instead of an average;
            it stays until another has more of them, or none of the n speaks for it.
        min_duration_s: how long a new label must be seen before it is believed, in seconds.
        unknown_s: the same of `unknown` after a label, if that is longer: while a scene changes
            from one label to another, neither may reach its threshold for a moment.
        hysteresis: what a score may fall below its threshold, and what another must be ahead,
            before an averaged label is given up; 0 to 1.
        gap_s: frames further apart than so many seconds know nothing of each other.
    """

    threshold: float = 0.0
    class_thresholds: Mapping[str, float] = field(default_factory=dict)
    smooth_s: float = 0.0
    vote: tuple[int, int] | None = None
    min_duration_s: float = 0.0
    unknown_s: float = 0.0
    hysteresis: float = 0.05
    gap_s: float = 5.0

    def __post_init__(self) -> None:
        """Refuse what contradicts itself."""
        if self.vote is not None and self.smooth_s:
            raise EdgeclfError(
                f"smoothing over {self.smooth_s:g} s and a vote of {self.vote[0]}/{self.vote[1]} "
                "exclude each other; give one of them"
            )
        if self.vote is not None and not 1 <= self.vote[0] <= self.vote[1]:
            raise EdgeclfError(
                f"a vote of {self.vote[0]}/{self.vote[1]}: give K/N with 1 <= K <= N, such as 3/5"
            )


class Decider:
    """Believes a label of a stream of scores.

    Example:
        >>> decider = Decider(spec.labels, DecisionConfig(threshold=0.6, smooth_s=0.5))
        >>> decision, event = decider.decide(scores, at=now, taken_at=frame.taken_at, frame=7)
    """

    def __init__(self, labels: Sequence[str], config: DecisionConfig) -> None:
        """Start with nothing seen of the classes `labels`."""
        check_thresholds(config.class_thresholds, labels)
        self._config = config
        self._limit = math.inf  # of the deviate of novelty
        self._last_at = -math.inf
        self._seen: int | None = None
        self._steady: int | None = None
        self._announced: str | None = None  # the label of the last event
        self.relabel(labels)

    def relabel(self, labels: Sequence[str]) -> None:
        """Expect the scores of these classes from now on, and start with nothing seen of them."""
        self._labels, config = tuple(labels), self._config
        self._thresholds = least_scores(labels, config.class_thresholds, config.threshold)
        self._start_anew()

    def decide(
        self,
        scores: NDArray[np.float32],
        *,
        at: float,
        taken_at: float,
        frame: int,
        novelty: Novelty | None = None,
    ) -> tuple[Decision, Event | None]:
        """Return what is believed after a frame, and the event that it confirms, if any.

        Args:
            scores: of the frame, of shape (classes,), 0 to 1.
            at: its moment, seconds of `time.monotonic`.
            taken_at: the same moment, seconds since the epoch.
            frame: its number.
            novelty: how unlike its training it is, if the model can tell.
        """
        passed = max(0.0, at - self._last_at)
        self._last_at = at
        if passed > self._config.gap_s:
            self._start_anew()
        values, seen = self._see(self._with_deviate(scores, novelty), passed)
        smoothed = values[:-1]
        known = None if novelty is None else novelty.at(float(values[-1]))
        if seen != self._seen:
            self._seen, self._seen_since, self._began_at = seen, at, taken_at
        if at - self._seen_since >= self._least_duration(seen):
            self._steady = seen
        if self._steady is None or self._steady == _UNKNOWN:
            label, score = UNKNOWN, float(smoothed.max())
            refused = refusal(smoothed, labels=self._labels, least=self._thresholds)
            reason = explain_novelty(known, smoothed, self._labels)
        else:
            label, score = self._labels[self._steady], float(smoothed[self._steady])
            refused = reason = None
        value = None if known is None else known.value
        decision = Decision(
            label, score, tuple(smoothed.tolist()), refused, value, reason, self._labels
        )
        if self._steady is None or label == self._announced:
            return decision, None
        event = Event(label, self._announced, score, self._began_at, frame, refused, reason)
        self._announced = label
        return decision, event

    def _least_duration(self, seen: int | None) -> float:
        follows = seen == _UNKNOWN and self._announced not in (None, UNKNOWN)
        return max(self._config.min_duration_s, self._config.unknown_s if follows else 0.0)

    def _start_anew(self) -> None:
        """Forget what was seen, but not what was reported: the same label again is no event."""
        self._average: NDArray[np.float64] | None = None
        vote_of = self._config.vote[1] if self._config.vote else 1
        self._window: deque[tuple[int, NDArray[np.float64]]] = deque(maxlen=vote_of)
        self._seen = self._steady = None
        self._seen_since = self._began_at = 0.0

    def _with_deviate(
        self, scores: NDArray[np.float32], novelty: Novelty | None
    ) -> NDArray[np.float64]:
        """Return the scores of a frame and the deviate of its novelty, which is smoothed alike."""
        deviate = 0.0
        if novelty is not None:
            self._limit = novelty.limit
            most = min(_MOST_LIMITS * abs(novelty.limit), _MOST_DEVIATE)
            deviate = min(max(novelty.deviations, -most), most)
        return np.append(scores.astype(np.float64), deviate)

    def _see(
        self, values: NDArray[np.float64], passed: float
    ) -> tuple[NDArray[np.float64], int | None]:
        """Return the smoothed values and the label they speak for; None if it is too early."""
        if self._config.vote is not None:
            self._window.append((self._best(values), values))
            mean: NDArray[np.float64] = np.mean([each for _, each in self._window], axis=0)
            return mean, self._elected(self._config.vote[0])
        if self._average is None or not self._config.smooth_s:
            self._average = values
        else:
            # The answer of a first-order filter to an input that was constant since the last frame.
            share = -math.expm1(-passed / self._config.smooth_s)
            self._average = self._average + share * (values - self._average)
        return self._average, self._held(self._average)

    def _best(self, values: NDArray[np.float64]) -> int:
        if values[-1] > self._limit:
            return _UNKNOWN
        scores = values[:-1]
        sure = scores >= self._thresholds
        return int(np.argmax(np.where(sure, scores, -1.0))) if sure.any() else _UNKNOWN

    def _held(self, values: NDArray[np.float64]) -> int:
        """Return the best label, or the one that was seen while the other is hardly better."""
        best, held, slack = self._best(values), self._seen, self._config.hysteresis
        if held is None or held == _UNKNOWN or values[-1] > self._limit:
            return best
        if values[held] < self._thresholds[held] - slack:
            return best
        ahead = best != _UNKNOWN and values[best] >= values[held] + slack
        return best if ahead else held

    def _elected(self, needed: int) -> int | None:
        votes: Counter[int | None] = Counter(vote for vote, _ in self._window)
        first, count = votes.most_common(1)[0]
        if count >= needed and count > votes[self._seen]:
            return first
        if self._seen is None and len(self._window) < (self._window.maxlen or 0):
            return None
        return self._seen if votes[self._seen] else _UNKNOWN
