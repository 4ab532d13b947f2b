"""What is told of a frame, an event and a camera, as JSON objects; and the moments in them."""

import time
from dataclasses import asdict
from datetime import datetime, timezone
from typing import Any

from ..observation import Event, Observation, SourceHealth

Row = dict[str, Any]


def observation_row(observation: Observation) -> Row:
    """Return the facts of a classified frame, in the names of `edgeclf run --json`."""
    frame, prediction, decision = observation.frame, observation.prediction, observation.decision
    return {
        "type": "frame",
        "time": frame.taken_at,
        "frame": frame.number,
        "label": decision.label,
        "score": round(decision.score, 6),
        "frame_label": prediction.label,
        "frame_score": round(prediction.score, 6),
        "top": [[label, round(score, 6)] for label, score in prediction.top],
        "age_ms": round(observation.age_ms, 3),
        "steps_ms": {step: round(ms, 3) for step, ms in observation.steps_ms.items()},
    }


def event_row(event: Event) -> Row:
    """Return the facts of a change of the steady label."""
    return {
        "type": "event",
        "time": event.began_at,
        "frame": event.frame,
        "label": event.label,
        "previous": event.previous,
        "score": round(event.score, 6),
    }


def health_row(health: SourceHealth) -> Row:
    """Return how the camera is, now."""
    return {
        "type": "source",
        "time": time.time(),
        "source": health.source,
        "state": health.state.value,
        "reason": health.reason,
        "fps": round(health.fps, 2),
        **asdict(health.counts),
    }


def with_iso_time(row: Row) -> Row:
    """Return the row with its time as ISO 8601 in UTC, to the millisecond."""
    moment = datetime.fromtimestamp(row["time"], timezone.utc)
    iso = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return row | {"time": iso}


def file_time(taken_at: float) -> str:
    """Return a moment (seconds since the epoch) as a file's name that sorts: UTC, milliseconds."""
    moment = datetime.fromtimestamp(taken_at, timezone.utc)
    return f"{moment:%Y%m%dT%H%M%S}.{moment.microsecond // 1000:03d}Z"
