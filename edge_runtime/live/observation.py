"""What passes through a live run: frames, what was decided of them, and how the camera is."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ..novelty.model import Novelty
from ..prediction import Observed, Prediction, Refusal


class SourceState(Enum):
    """How a camera is; the values are what people and machines read."""

    CONNECTING = "connecting"
    LIVE = "live"
    STALE = "stale"
    RECONNECTING = "reconnecting"
    DEAD = "dead"


@dataclass(frozen=True)
class SourceCounts:
    """What came of a source's frames since it was first opened.

    Attributes:
        received: whole frames, whether or not they were classified.
        replaced: frames that a newer one pushed out before they were classified.
        damaged: frames that could not be decoded or were cut, and were thrown away.
        frozen: frames that were the same picture as the one before, to the last bit, once that
            had lasted too long to be a still scene.
        timeouts: reads and connections that exceeded their deadline.
        disconnects: connections that were lost after they had been made.
        connects: connections that were made.
    """

    received: int = 0
    replaced: int = 0
    damaged: int = 0
    frozen: int = 0
    timeouts: int = 0
    disconnects: int = 0
    connects: int = 0


@dataclass(frozen=True)
class SourceHealth:
    """The state of a source at a moment.

    Attributes:
        source: its name, without passwords.
        state: how it is.
        since: when that began, seconds of `time.monotonic`.
        reason: why, in one line; empty while it is live.
        fps: frames a second over the last seconds.
        counts: what came so far.
    """

    source: str
    state: SourceState
    since: float
    reason: str
    fps: float
    counts: SourceCounts


@dataclass(frozen=True, eq=False)
class LiveFrame:
    """One picture of a live source.

    Attributes:
        number: of the frame among those received, from 0.
        bgr: uint8 of shape (height, width, 3), as OpenCV decodes it; nobody writes into it.
        arrived: when its last byte came, seconds of `time.monotonic`.
        taken_at: the same moment on the wall clock, seconds since the epoch.
        source: the camera's name, or the file's in a folder that is watched.
        decode_ms: what its decoding took once it was taken; 0 where the camera gives pixels.
    """

    number: int
    bgr: NDArray[np.uint8]
    arrived: float
    taken_at: float
    source: str = ""
    decode_ms: float = 0.0


@dataclass(frozen=True)
class Decision:
    """What is believed of the scene after a frame.

    Attributes:
        label: the steady label, `unknown` while no class is sure enough or the scene too novel.
        score: the smoothed score of the best class, 0 to 1.
        scores: the smoothed score of each class, in the order of the model's labels.
        refused: for `unknown`, the best class if its smoothed score is below its threshold.
        novelty: how unlike the training the scene is, smoothed, 0 to 1; None of a model that
            cannot tell.
        novelty_reason: why a scene that is too novel is `unknown`, in words; else None.
        labels: the classes of the scores; empty for those that the run began with.
    """

    label: str
    score: float
    scores: tuple[float, ...]
    refused: Refusal | None = None
    novelty: float | None = None
    novelty_reason: str | None = None
    labels: tuple[str, ...] = ()


@dataclass(frozen=True)
class Event:
    """The steady label changed, and stayed changed for the minimum duration.

    Attributes:
        label: what it became.
        previous: what it was; None for the first.
        score: the smoothed score when it was believed.
        began_at: when the new label was first seen, seconds since the epoch.
        frame: the number of the frame that confirmed it.
        refused: as of the decision that it comes from.
        novelty_reason: the same.
    """

    label: str
    previous: str | None
    score: float
    began_at: float
    frame: int
    refused: Refusal | None = None
    novelty_reason: str | None = None


@dataclass(frozen=True, eq=False)
class Observation:
    """A classified frame.

    Attributes:
        frame: the picture.
        prediction: what the model says of this one frame.
        decision: what is believed after it.
        age_ms: from the frame's arrival to its decision, in milliseconds.
        steps_ms: what each step took: `decode`, `preprocess`, `invoke`, `postprocess`.
        observed: what the network computed of it; None where nobody asks.
    """

    frame: LiveFrame
    prediction: Prediction
    decision: Decision
    age_ms: float
    steps_ms: Mapping[str, float]
    observed: Observed | None = None


class FrameSource(Protocol):
    """Where frames come from: a camera, or a folder that is watched."""

    @property
    def ended(self) -> bool:
        """Whether no frame will ever come again."""
        ...

    def take(self, timeout_s: float) -> LiveFrame | None:
        """Return a frame that was not taken yet; None if none comes in `timeout_s`."""
        ...

    def health(self) -> SourceHealth:
        """Return how the source is now."""
        ...

    def close(self) -> None:
        """Let go of it; at most a second."""


class Decides(Protocol):
    """What makes a steady label of the scores of one frame after another."""

    def relabel(self, labels: tuple[str, ...]) -> None:
        """Expect the scores of these classes from now on: some were taught, or taken back."""

    def decide(
        self,
        scores: NDArray[np.float32],
        *,
        at: float,
        taken_at: float,
        frame: int,
        novelty: Novelty | None = None,
    ) -> tuple[Decision, Event | None]:
        """Take in the scores of a frame; return what is believed now, and the change of it.

        Args:
            scores: of each class, of shape (classes,), 0 to 1.
            at: when the frame arrived, seconds of `time.monotonic`.
            taken_at: the same moment, seconds since the epoch.
            frame: its number.
            novelty: how unlike its training it is, if the model can tell.
        """
        ...


class Sink(Protocol):
    """Where a live run's news goes; each method returns at once or runs on a thread of its own.

    Attributes:
        name: what warnings call it.
    """

    name: str

    def observe(self, observation: Observation) -> None:
        """Take in a classified frame."""

    def report_event(self, event: Event, observation: Observation) -> None:
        """Take in a change of the steady label, and the frame that confirmed it."""

    def report_health(self, health: SourceHealth) -> None:
        """Take in how the camera is: whenever its state changes, and every few seconds."""

    def close(self) -> None:
        """Write out what is pending and let go; at most a second."""
