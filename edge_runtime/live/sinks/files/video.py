"""A video of what was seen, with what was believed drawn on it."""

import errno
import shutil
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from ....errors import EdgeclfError
from ....files import check_folder
from ...observation import Observation
from ..queued import Outlet
from .drawing import caption, draw_caption
from .pictures import Picture
from .rotation import rotate

_FPS = 8
_TICK_S = 1 / _FPS
_QUALITY = 80
_KEEP_FREE_BYTES = 32 << 20


@dataclass(frozen=True)
class VideoConfig:
    """How a video is cut.

    Attributes:
        max_bytes: of a file; about so much, it is looked at between frames.
        max_s: of a file, in seconds: a crash takes what was not finished.
        keep: how many older files stay.
        max_height: of a picture, in pixels; a larger one is made smaller.
        gap_s: after so many seconds without a frame a new file begins.
    """

    max_bytes: int = 64 << 20
    max_s: float = 300.0
    keep: int = 9
    max_height: int = 720
    gap_s: float = 2.0


class VideoFile(Outlet[tuple[float, Picture]]):
    """An MJPG video that plays as fast as it was, at 8 frames a second.

    It is written to a hidden file, which becomes `FILE.avi` once it is finished; those before it
    become `FILE.1.avi`, `FILE.2.avi` and so on.
    """

    def __init__(self, path: Path, config: VideoConfig | None = None) -> None:
        """Make `path`, an .avi file."""
        check_name(path)
        check_folder(path.parent)
        self.name = str(path)
        self._path = path
        self._part = path.with_name(f".{path.stem}.part.avi")
        self._config = config or VideoConfig()
        self._next_at = 0.0
        self._writer: cv2.VideoWriter | None = None
        self._size_wh = (0, 0)
        self._began_at = self._last_at = 0.0
        self._written = 0

    def pick(self, observation: Observation) -> tuple[float, Picture] | None:
        """Take a frame when it is time for one."""
        frame, decision = observation.frame, observation.decision
        if frame.arrived < self._next_at:
            return None
        self._next_at = max(self._next_at + _TICK_S, frame.arrived)
        picture = Picture(frame.bgr, frame.taken_at, decision.label, decision.score)
        return frame.arrived, picture

    def write(self, item: tuple[float, Picture]) -> None:
        """Draw and append, as often as time has passed."""
        at, picture = item
        if shutil.disk_usage(_existing(self._path.parent)).free < _KEEP_FREE_BYTES:
            self.close()  # OpenCV does not tell that a disk is full
            raise OSError(errno.ENOSPC, f"less than {_KEEP_FREE_BYTES >> 20} MiB left")
        height, width = picture.bgr.shape[:2]
        scale = min(1.0, self._config.max_height / height)
        size_wh = (round(width * scale), round(height * scale))
        if self._writer is not None and self._is_over(at, size_wh):
            self.close()
        writer = self._writer or self._begin(at, size_wh)
        small = (
            picture.bgr if scale == 1 else np.asarray(cv2.resize(picture.bgr, size_wh), np.uint8)
        )
        drawn = draw_caption(small, caption(picture.label, picture.score, picture.taken_at))
        due = round((at - self._began_at) * _FPS) + 1
        for _ in range(self._written, due):
            writer.write(drawn)
        self._written, self._last_at = due, at

    def close(self) -> None:
        """Finish the file."""
        if self._writer is None:
            return
        self._writer.release()
        self._writer = None
        if self._part.exists():  # nobody has deleted it
            rotate(self._path, self._config.keep)
            self._part.replace(self._path)

    def _is_over(self, at: float, size_wh: tuple[int, int]) -> bool:
        config = self._config
        return (
            size_wh != self._size_wh
            or at - self._last_at > config.gap_s
            or at - self._began_at > config.max_s
            or not self._part.exists()
            or self._part.stat().st_size > config.max_bytes
        )

    def _begin(self, at: float, size_wh: tuple[int, int]) -> cv2.VideoWriter:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        codec = cv2.VideoWriter.fourcc(*"MJPG")
        writer = cv2.VideoWriter(str(self._part), cv2.CAP_OPENCV_MJPEG, codec, _FPS, size_wh)
        if not writer.isOpened():
            raise OSError(errno.EIO, "OpenCV cannot write a video there")
        writer.set(cv2.VIDEOWRITER_PROP_QUALITY, _QUALITY)
        self._writer, self._size_wh, self._began_at, self._written = writer, size_wh, at, 0
        return writer


def check_name(path: Path) -> None:
    """Refuse a name that is not one of an .avi file."""
    if path.suffix.lower() != ".avi":
        raise EdgeclfError(f"{path}: a video is an .avi file; name it {path.stem}.avi")


def _existing(folder: Path) -> Path:
    return next(each for each in (folder, *folder.absolute().parents) if each.exists())
