"""The records of a live run: of a frame, an event and the camera's state, as JSON objects."""

import time
from dataclasses import asdict
from datetime import datetime, timezone

from ...prediction import Record, frame_record, record_head, refused_json
from ..observation import Event, Observation, SourceHealth


def observation_row(observation: Observation) -> Record:
    """Return the record of a classified frame."""
    frame = observation.frame
    return frame_record(
        observation.prediction,
        source=frame.source,
        frame=frame.number,
        taken_at=frame.taken_at,
        decision=observation.decision,
    ) | {
        "age_ms": round(observation.age_ms, 3),
        "steps_ms": {step: round(ms, 3) for step, ms in observation.steps_ms.items()},
    }


def event_row(event: Event, *, source: str) -> Record:
    """Return the record of a change of the steady label."""
    return record_head("event", source=source, at=event.began_at) | {
        "frame": event.frame,
        "label": event.label,
        "previous": event.previous,
        "score": round(event.score, 6),
        "refused": refused_json(event.refused),
        "novelty_reason": event.novelty_reason,
    }


def health_row(health: SourceHealth) -> Record:
    """Return the record of the camera's state now."""
    return record_head("source", source=health.source, at=time.time()) | {
        "state": health.state.value,
        "reason": health.reason,
        "fps": round(health.fps, 2),
        **asdict(health.counts),
    }


def file_time(taken_at: float) -> str:
    """Return a moment (seconds since the epoch) as a file's name that sorts: UTC, milliseconds."""
    moment = datetime.fromtimestamp(taken_at, timezone.utc)
    return f"{moment:%Y%m%dT%H%M%S}.{moment.microsecond // 1000:03d}Z"
