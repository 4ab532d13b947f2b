"""What tests of the sinks share: news of a camera, made by hand."""

import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from edgeclf.edge_runtime.live.observation import (
    Decision,
    Event,
    LiveFrame,
    Observation,
    SourceCounts,
    SourceHealth,
    SourceState,
)
from edgeclf.edge_runtime.prediction import Prediction

LABELS = ("good", "oil", "scratch")
EPOCH = 1_764_062_100.123  # 2025-11-25T09:15:00.123Z


def picture(number: int = 0, *, size_wh: tuple[int, int] = (96, 64)) -> NDArray[np.uint8]:
    """A smooth picture that differs from number to number."""
    rows = np.linspace(0, 150, size_wh[1], dtype=np.uint8)[:, np.newaxis, np.newaxis]
    return np.broadcast_to(rows + np.uint8(number % 100), (size_wh[1], size_wh[0], 3)).copy()


def observation(
    number: int = 0,
    *,
    label: str = "oil",
    score: float = 0.9,
    second: float | None = None,
    at: float | None = None,
    size_wh: tuple[int, int] = (96, 64),
) -> Observation:
    """The frame `number` of a camera of 10 fps, or of the moment `at` after the first."""
    passed = number / 10 if at is None else at
    rest = 1 - score if second is None else second
    other = "good" if label != "good" else "oil"
    scores = {label: score, other: rest}
    frame = LiveFrame(
        number=number,
        bgr=picture(number, size_wh=size_wh),
        arrived=1000 + passed,
        taken_at=EPOCH + passed,
        source="camera",
    )
    return Observation(
        frame=frame,
        prediction=Prediction(label, score, ((label, score), (other, rest)), ms=12.0),
        decision=Decision(label, score, tuple(scores.get(each, 0.0) for each in LABELS)),
        age_ms=34.5,
        steps_ms={"preprocess": 1.0, "invoke": 12.0, "postprocess": 0.125},
    )


def event(number: int = 0, *, label: str = "oil", previous: str | None = "good") -> Event:
    return Event(label, previous, 0.9, EPOCH + number / 10, number)


def health(state: SourceState = SourceState.LIVE, *, received: int = 7) -> SourceHealth:
    reason = "" if state is SourceState.LIVE else "the cable"
    counts = SourceCounts(received=received, replaced=3, connects=1)
    return SourceHealth("camera", state, 1000.0, reason, 9.5, counts)


def wait_until(condition: Callable[[], bool], *, within_s: float = 20.0) -> None:
    """Wait for what other threads do; a machine may be busy."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)
