"""What a camera's loop would tell its sinks, for tests."""

import time
from collections.abc import Sequence

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

LABELS = ("good", "oil", "scratch", "stain")


def plain(value: int, *, height: int = 48, width: int = 64) -> NDArray[np.uint8]:
    """Return a grey frame."""
    return np.full((height, width, 3), value, np.uint8)


def observed(
    number: int = 0,
    *,
    bgr: NDArray[np.uint8] | None = None,
    labels: Sequence[str] = LABELS,
    label: str = "oil",
    heatmap: NDArray[np.float32] | None = None,
    seconds_ago: float = 0.01,
) -> Observation:
    """Return a classified frame: `label` has 0.7, the others share the rest."""
    others = 0.3 / (len(labels) - 1)
    scores = {name: 0.7 if name == label else others for name in labels}
    top = tuple(sorted(scores.items(), key=lambda pair: -pair[1]))
    return Observation(
        frame=LiveFrame(
            number=number,
            bgr=plain(128) if bgr is None else bgr,
            arrived=time.monotonic() - seconds_ago,
            taken_at=time.time() - seconds_ago,
        ),
        prediction=Prediction(label=label, score=0.7, top=top, ms=12.5, heatmap=heatmap),
        decision=Decision(label=label, score=0.7, scores=tuple(scores.values())),
        age_ms=14.0,
        steps_ms={"preprocess": 1.0, "invoke": 11.0, "postprocess": 0.5},
    )


def changed(label: str, previous: str | None) -> Event:
    """Return a change of the label."""
    return Event(label=label, previous=previous, score=0.7, began_at=1_800_000_000.0, frame=3)


def health(state: SourceState, reason: str = "", *, seconds_ago: float = 0.0) -> SourceHealth:
    """Return how a camera is since `seconds_ago`."""
    return SourceHealth(
        source="rtsp://camera/1",
        state=state,
        since=time.monotonic() - seconds_ago,
        reason=reason,
        fps=25.0 if state is SourceState.LIVE else 0.0,
        counts=SourceCounts(received=50, replaced=7, damaged=3, connects=2, disconnects=1),
    )
