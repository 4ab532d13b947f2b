"""The model's answer for one image, and its record in JSON and CSV."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .novelty.model import Novelty
from .text import csv_cell

UNKNOWN = "unknown"
UNLIKE = "unlike anything in training"

# Of every record below, and of the events and camera states of a live run; it rises when a field
# changes its meaning or goes.
RECORD_SCHEMA = 1
Record = dict[str, Any]
CSV_COLUMNS = (
    "schema", "time", "source", "frame", "label", "score", "refused", "threshold",
    "frame_label", "frame_score", "ms", "age_ms", "error", "novelty", "novelty_reason",
)  # fmt: skip


@dataclass(frozen=True)
class Refusal:
    """The class with the highest score, which is below its threshold.

    Attributes:
        label: the class.
        score: its score, 0 to 1.
        threshold: the least score of a prediction of that class, 0 to 1.
    """

    label: str
    score: float
    threshold: float


@dataclass(frozen=True)
class Prediction:
    """The model's answer for one image.

    Attributes:
        label: the best of the classes that reach their thresholds, or `unknown` if none does, or
            if the image is too novel.
        score: its score, 0 to 1; the highest for `unknown`.
        top: the best classes with their scores, best first.
        ms: preprocessing and inference, in milliseconds; without waiting for another thread.
        heatmap: where the label was seen, the best class for `unknown`: float32 as
            `Classifier.class_activation_map` returns it; None unless asked for.
        refused: the class with the highest score where that is below its threshold; else None.
        novelty: how unlike its training the image is, 0 to 1; None of a file that cannot tell.
        novelty_reason: why an image that is too novel is `unknown`, in words; else None.
    """

    label: str
    score: float
    top: tuple[tuple[str, float], ...]
    ms: float
    heatmap: NDArray[np.float32] | None = field(default=None, compare=False)
    refused: Refusal | None = None
    novelty: float | None = None
    novelty_reason: str | None = None


@dataclass(frozen=True, eq=False)
class Observed:
    """What the network of a file computed of an image.

    Attributes:
        scores: of its own classes, float32 of shape (outputs,), 0 to 1.
        features: the mean of its last feature map, float32 of shape (channels,); None of a file
            without novelty.
        appearance: of its pixels, float32 of shape (properties,); None of a file that does not know
            what its training images look like.
    """

    scores: NDArray[np.float32]
    features: NDArray[np.float32] | None
    appearance: NDArray[np.float32] | None = None


@dataclass(frozen=True, eq=False)
class FrameResult:
    """The model's answer for one frame, with all scores and the time of each step.

    Attributes:
        prediction: the answer.
        scores: of each class, float32 of shape (classes,), 0 to 1.
        steps_ms: time of `preprocess`, `invoke` and `postprocess`, in milliseconds.
        novelty: how unlike its training it is; None of a file that cannot tell.
        labels: the classes of the scores.
        observed: what the network computed of it.
    """

    prediction: Prediction
    scores: NDArray[np.float32]
    steps_ms: dict[str, float]
    novelty: Novelty | None = None
    labels: tuple[str, ...] = ()
    observed: Observed | None = None


def least_scores(
    labels: Sequence[str], thresholds: Mapping[str, float], threshold: float
) -> NDArray[np.float64]:
    """Return the least score of each class, of shape (classes,), 0 to 1.

    Args:
        labels: the classes.
        thresholds: by label.
        threshold: of the classes that have none there.
    """
    return np.asarray([thresholds.get(label, threshold) for label in labels], np.float64)


def refusal(
    scores: NDArray[np.floating], *, labels: Sequence[str], least: NDArray[np.float64]
) -> Refusal | None:
    """Return the class with the highest score if that is below its threshold, else None.

    Args:
        scores: of shape (classes,), 0 to 1.
        labels: the classes.
        least: as `least_scores` returns them.
    """
    best = int(scores.argmax())
    if scores[best] >= least[best]:
        return None
    return Refusal(labels[best], float(scores[best]), float(least[best]))


def name_best(
    scores: NDArray[np.float32],
    *,
    labels: Sequence[str],
    least: NDArray[np.float64],
    top: int,
    ms: float,
    novelty: Novelty | None = None,
) -> Prediction:
    """Return the prediction that `scores` make, without a heatmap.

    Args:
        scores: of shape (classes,), 0 to 1.
        labels: the classes.
        least: as `least_scores` returns them.
        top: number of classes to list.
        ms: time of preprocessing and inference, in milliseconds.
        novelty: how unlike its training the image is, if the file can tell.
    """
    sure = scores >= least
    if novelty is not None and novelty.is_unknown:
        sure = np.zeros_like(sure)
    index = int(np.where(sure, scores, scores - 2).argmax())
    best_first = np.argsort(-scores, kind="stable")[:top]
    return Prediction(
        label=labels[index] if sure[index] else UNKNOWN,
        score=float(scores[index]),
        top=tuple((labels[int(i)], float(scores[i])) for i in best_first),
        ms=ms,
        refused=refusal(scores, labels=labels, least=least),
        novelty=None if novelty is None else novelty.value,
        novelty_reason=explain_novelty(novelty, scores, labels),
    )


def explain_novelty(
    novelty: Novelty | None, scores: NDArray[np.floating], labels: Sequence[str]
) -> str | None:
    """Return in words why an image is too novel to be named; None if it is not.

    Args:
        novelty: how unlike its training the image is, if the file can tell.
        scores: of shape (classes,), 0 to 1.
        labels: the classes.
    """
    if novelty is None or not novelty.is_unknown:
        return None
    if novelty.cause not in ("unlike", "between"):
        return f"{novelty.cause} than anything in training"
    if novelty.cause == "unlike" or len(labels) < 2:
        return UNLIKE
    first, second = (labels[int(place)] for place in np.argsort(-scores, kind="stable")[:2])
    return f"between {first} and {second}"


class Decided(Protocol):
    """What a record says of an image: a prediction, or a live run's decision."""

    @property
    def label(self) -> str: ...
    @property
    def score(self) -> float: ...
    @property
    def refused(self) -> Refusal | None: ...
    @property
    def novelty(self) -> float | None: ...
    @property
    def novelty_reason(self) -> str | None: ...


def frame_record(
    prediction: Prediction,
    *,
    source: str,
    frame: int,
    taken_at: float,
    decision: Decided | None = None,
) -> Record:
    """Return the record of a classified image or frame, the same for every output.

    Args:
        prediction: the model's answer for it alone.
        source: the file, or the camera's name without passwords.
        frame: its number in the source, from 0.
        taken_at: when it came or was read, seconds since the epoch.
        decision: of a live run after it; None where each image stands for itself.
    """
    decided = decision or prediction
    return {
        **record_head("frame", source=source, at=taken_at),
        "frame": frame,
        "label": decided.label,
        "score": round(decided.score, 6),
        "refused": refused_json(decided.refused),
        "novelty": None if decided.novelty is None else round(decided.novelty, 6),
        "novelty_reason": decided.novelty_reason,
        "frame_label": prediction.label,
        "frame_score": round(prediction.score, 6),
        "top": [[name, round(value, 6)] for name, value in prediction.top],
        "ms": round(prediction.ms, 3),
    }


def error_record(error: str, *, source: str, at: float) -> Record:
    """Return the record of an image that could not be read.

    Args:
        error: why, in one line.
        source: the file.
        at: the moment, seconds since the epoch.
    """
    return record_head("error", source=source, at=at) | {"error": error}


def csv_line(record: Record) -> bytes:
    """Return a frame's or an error's record as a line of a table, under `CSV_COLUMNS`."""
    refused = record.get("refused") or {}
    flat = record | {"refused": refused.get("label"), "threshold": refused.get("threshold")}
    return csv_row([flat.get(column) for column in CSV_COLUMNS])


def csv_row(values: Sequence[object]) -> bytes:
    """Return values as a line of comma-separated values in UTF-8; None is empty."""
    line = io.StringIO()
    cells = [csv_cell(value) if isinstance(value, str) else value for value in values]
    csv.writer(line, lineterminator="\n").writerow(cells)
    return line.getvalue().encode(errors="backslashreplace")


def record_head(kind: str, *, source: str, at: float) -> Record:
    """Return what every record begins with.

    Args:
        kind: `frame`, `error`, `event` or `source`.
        source: the file, or the camera's name without passwords.
        at: the moment, seconds since the epoch.
    """
    return {"schema": RECORD_SCHEMA, "type": kind, "time": iso_time(at), "source": source}


def refused_json(refused: Refusal | None) -> Record | None:
    """Return the class that was refused as a JSON object."""
    if refused is None:
        return None
    score, threshold = round(refused.score, 6), round(refused.threshold, 6)
    return {"label": refused.label, "score": score, "threshold": threshold}


def refused_text(refused: Refusal) -> str:
    """Return in words why the best class is not the label."""
    return f"{refused.label} {refused.score:.3f} is below its threshold {refused.threshold:g}"


def iso_time(at: float) -> str:
    """Return a moment, seconds since the epoch, as ISO 8601 in UTC, to the millisecond."""
    moment = datetime.fromtimestamp(at, timezone.utc)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
