"""Pictures that are kept: of events, with the label drawn; and uncertain ones, for labelling."""

import errno
import re
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ....files import check_folder, replacing
from ...observation import Event, Observation
from ..queued import Outlet
from ..rows import file_time
from .drawing import caption, draw_caption

_EVENT_QUALITY = 90
_UNCERTAIN_QUALITY = 95
_MEGABYTE = 1_000_000


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture that waits to be written.

    Attributes:
        bgr: uint8 of shape (height, width, 3); nobody writes into it.
        taken_at: when, in seconds since the epoch.
        label: what is believed to be on it.
        score: of that label, 0 to 1.
    """

    bgr: NDArray[np.uint8]
    taken_at: float
    label: str
    score: float


class EventPictures(Outlet[Picture]):
    """A JPEG of each event's frame, with the label, its score and the time drawn on it."""

    def __init__(self, folder: Path) -> None:
        """Write into `folder`; it is made with the first."""
        check_folder(folder)
        self.name = str(folder)
        self._folder = folder

    def pick_event(self, event: Event, observation: Observation) -> Picture:
        """Take every event."""
        frame = observation.frame
        return Picture(frame.bgr, frame.taken_at, event.label, event.score)

    def write(self, item: Picture) -> None:
        """Write `TIME_LABEL.jpg`."""
        drawn = draw_caption(item.bgr, caption(item.label, item.score, item.taken_at))
        label = re.sub(r"[^\w-]+", "-", item.label)
        name = f"{file_time(item.taken_at)}_{label}.jpg"
        _write(self._folder / name, _jpeg(drawn, _EVENT_QUALITY))


@dataclass(frozen=True)
class UncertainConfig:
    """Which frames are worth a person's look, and how many.

    Attributes:
        score_below: the best score of a frame that is uncertain, 0 to 1.
        margin_below: by how much the best class of an uncertain frame is ahead of the second.
        per_minute: how many frames are kept, evenly apart.
        cap_mb: what the kept frames may take, in 10^6 bytes; the oldest go.
    """

    score_below: float = 0.6
    margin_below: float = 0.2
    per_minute: float = 6.0
    cap_mb: float = 500.0


class UncertainFrames(Outlet[Picture]):
    """Frames that the model was not sure of, clean, as JPEG: sorted into folders, they train it.

    The files are named by their time. Only files of such a name that lie in the folder itself count
    towards the cap and are removed: what was sorted into folders, or is a person's own, stays.
    """

    def __init__(self, folder: Path, config: UncertainConfig | None = None) -> None:
        """Write into `folder`; it is made with the first."""
        check_folder(folder)
        self.name = str(folder)
        self._folder = folder
        self._config = config or UncertainConfig()
        self._next_at = 0.0

    def pick(self, observation: Observation) -> Picture | None:
        """Take an uncertain frame, unless another was taken shortly before."""
        frame, prediction, config = observation.frame, observation.prediction, self._config
        second = prediction.top[1][1] if len(prediction.top) > 1 else 1 - prediction.score
        margin = prediction.score - second
        sure = prediction.score >= config.score_below and margin >= config.margin_below
        if sure or frame.arrived < self._next_at:
            return None
        self._next_at = frame.arrived + 60.0 / config.per_minute
        return Picture(frame.bgr, frame.taken_at, prediction.label, prediction.score)

    def write(self, item: Picture) -> None:
        """Write `TIME.jpg`, and remove the oldest that it has no room beside."""
        data = _jpeg(item.bgr, _UNCERTAIN_QUALITY)
        room = self._config.cap_mb * _MEGABYTE - len(data)
        if room < 0:
            raise OSError(errno.EFBIG, "one picture is larger than the folder may be")
        for path, size in reversed(self._kept()):
            room -= size
            if room < 0:
                path.unlink(missing_ok=True)
        _write(self._folder / f"{file_time(item.taken_at)}.jpg", data)

    def _kept(self) -> list[tuple[Path, int]]:
        """Return what was kept before, oldest first, with the size in bytes."""
        if not self._folder.is_dir():
            return []
        return [
            (path, path.stat().st_size)
            for path in sorted(self._folder.iterdir())
            if re.fullmatch(r"\d{8}T\d{6}\.\d{3}Z\.jpg", path.name) and path.is_file()
        ]


def _jpeg(bgr: NDArray[np.uint8], quality: int) -> bytes:
    return cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def _write(path: Path, data: bytes) -> None:
    with replacing(path) as temporary:
        temporary.write_bytes(data)
