"""A live run: newest frame, prediction, decision, and everyone who wants to know."""

import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from types import FrameType

from ..classifier import Classifier
from .observation import (
    Decides,
    FrameSource,
    Observation,
    Sink,
    SourceHealth,
    SourceState,
)
from .sinks.queued import close_sinks

_WAKE_S = 0.2  # how long a wait may keep a signal, or news of the camera, waiting
_HEALTH_S = 5.0


@dataclass(frozen=True)
class LoopConfig:
    """How a live run goes, and when it ends.

    Attributes:
        top: classes that a prediction lists.
        threshold: a best score below it makes a prediction's label `unknown`.
        max_fps: the most frames to classify in a second; None for as many as can be.
        max_frames: to classify; None for no end.
        duration_s: of the run in seconds; None for no end.
    """

    top: int = 3
    threshold: float = 0.0
    max_fps: float | None = None
    max_frames: int | None = None
    duration_s: float | None = None


def run_loop(
    source: FrameSource,
    classifier: Classifier,
    decider: Decides,
    sinks: Sequence[Sink],
    *,
    stop: threading.Event,
    config: LoopConfig,
    wants_heatmap: Callable[[], bool] = lambda: False,
) -> int:
    """Classify what comes from `source` until it ends, `stop` is set or `config` says so.

    The source and the sinks are closed then, however it ended.

    Args:
        source: where frames come from.
        classifier: names them.
        decider: makes a steady label of them.
        sinks: who wants to know.
        stop: ends the run when it is set, from any thread.
        config: how it goes.
        wants_heatmap: tells, for each frame, whether somebody looks at heatmaps.

    Returns:
        How many frames were classified.
    """
    with ExitStack() as closing:
        closing.callback(close_sinks, sinks)
        closing.callback(source.close)
        news = _HealthNews(sinks)
        pace = _Pace(config)
        labels = classifier.spec.labels
        while not (stop.is_set() or source.ended or pace.over()):
            frame = None
            if pace.wait(stop):
                frame = source.take(_WAKE_S)
            news.tell(source.health())
            if frame is None or stop.is_set():
                continue
            pace.count()
            result = classifier.classify_frame(
                frame.bgr,
                top=config.top,
                threshold=config.threshold,
                heatmap=classifier.spec.heatmap is not None and wants_heatmap(),
            )
            start = time.perf_counter()
            if result.labels != labels:
                labels = result.labels
                decider.relabel(labels)
            decision, event = decider.decide(
                result.scores,
                at=frame.arrived,
                taken_at=frame.taken_at,
                frame=frame.number,
                novelty=result.novelty,
            )
            result.steps_ms["postprocess"] += (time.perf_counter() - start) * 1000
            observation = Observation(
                frame=frame,
                prediction=result.prediction,
                decision=decision,
                age_ms=(time.monotonic() - frame.arrived) * 1000,
                steps_ms={"decode": frame.decode_ms, **result.steps_ms},
                observed=result.observed,
            )
            for sink in sinks:
                sink.observe(observation)
            if event is not None:
                for sink in sinks:
                    sink.report_event(event, observation)
        news.tell(source.health())
    return pace.frames


class _HealthNews:
    """Tells the sinks how the source is when that changes, and every few seconds."""

    def __init__(self, sinks: Sequence[Sink]) -> None:
        self._sinks = sinks
        self._reported: tuple[SourceState, str] | None = None
        self._reported_at = 0.0

    def tell(self, health: SourceHealth) -> None:
        now = time.monotonic()
        news = (health.state, health.reason)
        if news != self._reported or now - self._reported_at >= _HEALTH_S:
            self._reported, self._reported_at = news, now
            for sink in self._sinks:
                sink.report_health(health)


class _Pace:
    """Counts the frames, and holds back the next one and the end."""

    def __init__(self, config: LoopConfig) -> None:
        self.frames = 0
        self._config = config
        self._started = self._due = time.monotonic()

    def over(self) -> bool:
        frames, duration_s = self._config.max_frames, self._config.duration_s
        return (frames is not None and self.frames >= frames) or (
            duration_s is not None and time.monotonic() - self._started >= duration_s
        )

    def wait(self, stop: threading.Event) -> bool:
        """Wait for the next frame's turn, but not for long; tell whether it has come."""
        left = self._due - time.monotonic()
        if left > 0:
            stop.wait(min(left, _WAKE_S))
        return left <= _WAKE_S

    def count(self) -> None:
        self.frames += 1
        if self._config.max_fps is not None:
            self._due = max(self._due + 1 / self._config.max_fps, time.monotonic())


@contextmanager
def stop_on_signals() -> Iterator[threading.Event]:
    """Yield what SIGINT and SIGTERM set: the first ends the run in order, a second one at once."""
    stop = threading.Event()
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def end(_number: int, _frame: FrameType | None) -> None:
        stop.set()
        restore()

    for number in before:
        signal.signal(number, end)
    try:
        yield stop
    finally:
        restore()
