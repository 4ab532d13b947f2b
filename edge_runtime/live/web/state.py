"""What the page gets, as JSON."""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ...prediction import Prediction, Record, frame_record
from ..observation import Event, SourceCounts, SourceHealth, SourceState
from ..sinks.rows import event_row, observation_row
from .feed import Feed

# How many classes the page can show, and how many it gets, the best first, where there are more.
_ALL_CLASSES = 12
_BEST_CLASSES = 8
# A camera that calls itself live while nothing was classified for so long is shown as stale.
_SILENCE_S = 5.0


@dataclass(frozen=True)
class About:
    """What the page must know once.

    Attributes:
        title: what is watched.
        labels: the classes, in the order of the model's output.
        thresholds: the score from which each is believed; a class without one is left out.
        heatmap: whether the model makes heatmaps.
        max_bytes: of a photograph to classify.
        max_pixels: of it, once decoded.
    """

    title: str
    labels: tuple[str, ...]
    thresholds: Mapping[str, float]
    heatmap: bool
    max_bytes: int
    max_pixels: int


def about_json(about: About) -> str:
    """Return what the page must know once."""
    return json.dumps(asdict(about), ensure_ascii=False)


def state_json(feed: Feed, labels: Sequence[str]) -> str:
    """Return how it is now: the camera, the newest frame and what is believed of it."""
    number, observation = feed.newest
    values = camera(feed) | {"number": number}
    if observation is not None:
        row, decision = observation_row(observation), observation.decision
        values |= {name: row[name] for name in row.keys() - {"source", "top"}}
        values |= {"scores": _shown(decision.labels or labels, decision.scores)}
    return json.dumps(values, ensure_ascii=False)


def camera(feed: Feed) -> dict[str, Any]:
    """Return how the camera is; one that calls itself live while nothing comes is stale."""
    observation, health = feed.newest[1], feed.health
    now = time.monotonic()
    silent_s = None if observation is None else now - observation.frame.arrived
    if health is None:
        health = SourceHealth("", SourceState.CONNECTING, now, "", 0.0, SourceCounts())
    state, reason, for_s = health.state, health.reason, now - health.since
    if state is SourceState.LIVE and silent_s is not None and silent_s > _SILENCE_S:
        state, reason, for_s = SourceState.STALE, "no frame was classified", silent_s
    return {
        "source": health.source,
        "state": state.value,
        "reason": reason,
        "for_s": _rounded(for_s, 1),
        "silent_s": _rounded(silent_s, 1),
        "fps": _rounded(health.fps, 1),
        "counts": asdict(health.counts),
    }


def events_json(events: Sequence[Event], *, source: str) -> str:
    """Return the last events, oldest first."""
    return json.dumps([event_row(event, source=source) for event in events], ensure_ascii=False)


def prediction_json(prediction: Prediction, *, overlay: str | None) -> Record:
    """Return the record of an uploaded photograph; `overlay` is its picture with the heatmap."""
    row = frame_record(prediction, source="upload", frame=0, taken_at=time.time())
    return row | {"overlay": overlay}


def _shown(labels: Sequence[str], scores: Sequence[float]) -> list[tuple[str, float]]:
    """Return the classes that the page shows with their scores: in their order, or the best."""
    pairs = [(label, round(float(score), 4)) for label, score in zip(labels, scores, strict=True)]
    if len(pairs) <= _ALL_CLASSES:
        return pairs
    return sorted(pairs, key=lambda pair: -pair[1])[:_BEST_CLASSES]


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(float(value), digits)
