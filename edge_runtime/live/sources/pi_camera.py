"""The camera on the Raspberry Pi's ribbon cable, through picamera2."""

import time
from typing import Any

import numpy as np

from ...errors import EdgeclfError
from .capture import LostError, RawFrame

_SIZE_WH = (1280, 720)


class PiCamera:
    """A camera of libcamera. Nothing in picamera2 ends a wait: the grabber's own deadline does."""

    def __init__(self, *, size_wh: tuple[int, int] | None = None) -> None:
        """Prepare the camera, for frames of `size_wh` pixels (1280×720).

        Raises:
            EdgeclfError: picamera2 is missing.
        """
        self._picamera2 = _import_picamera2()
        self._size_wh = size_wh or _SIZE_WH
        self._camera: Any = None

    def open(self, deadline: float) -> None:  # noqa: ARG002
        """Start the camera."""
        try:
            self._camera = self._picamera2()
            # libcamera names the bytes from the last to the first: this is BGR in memory.
            configuration = self._camera.create_video_configuration(
                main={"format": "RGB888", "size": self._size_wh}, queue=False
            )
            self._camera.configure(configuration)
            self._camera.start()
        except (RuntimeError, IndexError, ValueError) as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            raise LostError(
                f"the camera does not start ({reason}); check its cable, and that "
                "`rpicam-hello --list-cameras` shows it"
            ) from None

    def read(self, deadline: float) -> RawFrame:  # noqa: ARG002
        """Wait for the next frame; `queue=False` makes it one that was taken after the call."""
        try:
            bgr = self._camera.capture_array("main")
        except (RuntimeError, TimeoutError) as error:
            raise LostError(" ".join(str(error).split()) or "the camera has gone") from None
        return RawFrame(np.asarray(bgr, np.uint8), time.monotonic(), time.time())

    def cancel(self) -> None:
        """Do nothing: libcamera cannot be woken up from here."""

    def close(self) -> None:
        """Stop the camera and let go of it."""
        if self._camera is not None:
            self._camera.close()


def _import_picamera2() -> Any:
    try:
        from picamera2 import Picamera2
    except ModuleNotFoundError:
        raise EdgeclfError(
            "picamera: picamera2 is missing: sudo apt install -y python3-picamera2 (in a virtual "
            "environment, make it anew with: python3 -m venv --system-site-packages)"
        ) from None
    return Picamera2
