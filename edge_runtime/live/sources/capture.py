"""What a camera must do to be watched, and the ways in which it fails."""

import ssl
from dataclasses import dataclass
from http import HTTPStatus
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ...errors import EdgeclfError

BGRImage = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class RawFrame:
    """A frame as the camera gave it.

    Attributes:
        pixels: the bytes of a JPEG, decoded only if the frame is classified; or BGR uint8 of
            shape (height, width, 3).
        arrived: when its last byte came, seconds of `time.monotonic`.
        taken_at: the same moment on the wall clock, seconds since the epoch.
    """

    pixels: bytes | BGRImage
    arrived: float
    taken_at: float


class CaptureError(EdgeclfError):
    """Why a camera gives no frame now; the message is what people read as the reason."""

    def __init__(self, reason: str, *, damaged: int = 0) -> None:
        """Keep `reason`, and how many frames were lost by the failure itself (a cut one)."""
        super().__init__(reason)
        self.damaged = damaged


class LateError(CaptureError):
    """A connection or a frame did not come in time."""


class LostError(CaptureError):
    """The camera is not there, or went away."""


class RefusedError(CaptureError):
    """The camera is there and says no; asking again soon is of no use."""


class DamagedError(CaptureError):
    """One frame was damaged; the next one may be whole."""


class EndError(CaptureError):
    """A source that ends has ended."""


def status_text(status: int) -> str:
    """Return an answer's status with its standard phrase: the camera's may repeat a secret."""
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def untrusted(error: ssl.SSLCertVerificationError) -> RefusedError:
    """Return why a camera with a certificate that nobody vouches for is not asked."""
    return RefusedError(
        f"the camera's certificate is not trusted ({error.verify_message}); name the file of the "
        "certificate that signed it in the variable SSL_CERT_FILE"
    )


class Capture(Protocol):
    """One connection to a camera. All but `cancel` are called from one and the same thread."""

    def open(self, deadline: float) -> None:
        """Connect.

        Args:
            deadline: when to give up, seconds of `time.monotonic`.

        Raises:
            CaptureError: it did not work.
        """

    def read(self, deadline: float) -> RawFrame:
        """Wait for the next frame; raises as `open`, and `DamagedError` to be asked again."""
        ...

    def cancel(self) -> None:
        """Make what is under way return soon, where that can be; called from another thread."""

    def close(self) -> None:
        """Let go of the camera; also one that was never opened."""
