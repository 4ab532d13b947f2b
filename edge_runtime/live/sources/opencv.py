"""Cameras that OpenCV reads: USB (V4L2), RTSP, and video files at the pace they were taken."""

import os
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path

import cv2
import numpy as np

from ...images.decoder_output import decoder_warnings
from .address import CameraAddress
from .capture import (
    DamagedError,
    EndError,
    LateError,
    LostError,
    RawFrame,
    RefusedError,
    status_text,
    untrusted,
)

# What FFmpeg gathers to guess the frame rate (a second, and more) would be thrown away, or come
# late and at once.
_OPTIONS_NAME = "OPENCV_FFMPEG_CAPTURE_OPTIONS"
_TLS_CHECK = "tls_verify"
_FFMPEG_OPTIONS = "rtsp_transport;tcp|fflags;nobuffer|flags;low_delay|fpsprobesize;0"


class V4l2Camera:
    """A camera of this machine, `/dev/video0` and the like."""

    def __init__(self, device: str, *, size_wh: tuple[int, int] | None = None) -> None:
        """Prepare `device`; without `size_wh` it gives the size of its own choice."""
        self._device = device
        self._size_wh = size_wh
        self._capture: cv2.VideoCapture | None = None

    def open(self, deadline: float) -> None:
        """Open the device."""
        path = Path(self._device)
        if not path.exists():
            found = " ".join(sorted(str(found) for found in Path("/dev").glob("video*")))
            raise LostError(
                f"no such camera (found: {found or 'none'}); `edgeclf doctor --camera "
                f"{self._device}` says more"
            )
        if not os.access(path, os.R_OK | os.W_OK):
            raise RefusedError("no right to use the camera; join its group: usermod -aG video USER")
        # OpenCV's own wait for a frame, 10 s, is longer than ours.
        os.environ.setdefault("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", str(_whole_seconds(deadline)))
        capture = cv2.VideoCapture(self._device, cv2.CAP_V4L2)
        self._capture = capture
        if not capture.isOpened():
            raise LostError("the camera cannot be opened; does another program use it?")
        capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        if self._size_wh is not None:
            # Raw frames of a large picture do not fit through USB 2 at full rate.
            motion_jpeg = cv2.VideoWriter.fourcc(*"MJPG")
            capture.set(cv2.CAP_PROP_FOURCC, motion_jpeg)
            capture.set(cv2.CAP_PROP_FRAME_WIDTH, self._size_wh[0])
            capture.set(cv2.CAP_PROP_FRAME_HEIGHT, self._size_wh[1])

    def read(self, deadline: float) -> RawFrame:
        """Wait for a frame."""
        assert self._capture is not None
        if not self._capture.grab():
            raise _no_frame(deadline)
        arrived = (time.monotonic(), time.time())
        with decoder_warnings() as warnings:
            ok, bgr = self._capture.retrieve()
        if not ok or bgr is None:
            raise DamagedError("a frame that cannot be decoded", damaged=1)
        if warnings:
            raise DamagedError(f"a damaged frame ({warnings[0]})", damaged=1)
        return RawFrame(np.asarray(bgr, np.uint8), *arrived)

    def cancel(self) -> None:
        """Do nothing: a device cannot be woken up."""

    def close(self) -> None:
        """Close the device."""
        if self._capture is not None:
            self._capture.release()


class RtspCamera:
    """A camera of the network, over TCP: what arrives is whole.

    With `rtsps` the certificate and the host in it are checked, unless the user's own options for
    FFmpeg have a `tls_verify`.
    """

    def __init__(self, address: CameraAddress) -> None:
        """Prepare a connection to `address`."""
        self._address = address
        self._capture: cv2.VideoCapture | None = None

    def open(self, deadline: float) -> None:
        """Connect, and wait for what FFmpeg needs to know of the stream."""
        users_options = os.environ.get(_OPTIONS_NAME, "")
        checked = self._address.scheme == "rtsps" and _TLS_CHECK not in users_options
        if checked:
            _check_certificate(self._address, deadline)
        left_ms = max(1, round((deadline - time.monotonic()) * 1000))
        timeouts = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, left_ms]
        timeouts += [cv2.CAP_PROP_READ_TIMEOUT_MSEC, left_ms]
        with _ffmpeg_options(checked=checked):
            capture = cv2.VideoCapture(self._address.url, cv2.CAP_FFMPEG, timeouts)
        self._capture = capture
        if capture.isOpened():
            return
        if time.monotonic() >= deadline - 0.1:
            raise LateError("no answer in time")
        raise _why_not(self._address, deadline)

    def read(self, deadline: float) -> RawFrame:
        """Wait for a frame; FFmpeg gives up after the time that was left when it was opened."""
        assert self._capture is not None
        if not self._capture.grab():
            raise _no_frame(deadline)
        arrived = (time.monotonic(), time.time())
        ok, bgr = self._capture.retrieve()
        if not ok:
            raise DamagedError("a frame that cannot be decoded", damaged=1)
        return RawFrame(np.asarray(bgr, np.uint8), *arrived)

    def cancel(self) -> None:
        """Do nothing: FFmpeg cannot be woken up from here."""

    def close(self) -> None:
        """Close the connection."""
        if self._capture is not None:
            self._capture.release()


class RealTimeVideo:
    """A video file, each frame at its time, as a camera would give it."""

    def __init__(self, path: Path) -> None:
        """Prepare to play `path`."""
        self._path = path
        self._capture: cv2.VideoCapture | None = None
        self._started: float | None = None
        self._frames = 0
        self._period_s = 0.0

    def open(self, deadline: float) -> None:  # noqa: ARG002, a file answers at once
        """Open the file."""
        # A name with a colon would be an address to FFmpeg, unless the path begins with a slash.
        capture = cv2.VideoCapture(str(self._path.absolute()))
        self._capture = capture
        fps = capture.get(cv2.CAP_PROP_FPS)
        self._period_s = 1 / fps if fps >= 1 else 1 / 25

    def read(self, deadline: float) -> RawFrame:  # noqa: ARG002
        """Return the next frame when its time has come."""
        assert self._capture is not None
        ok, bgr = self._capture.read()
        if not ok:
            raise EndError(
                "the end of the video" if self._frames else "no frame of it can be decoded"
            )
        if self._started is None:
            self._started = time.monotonic()
        due = self._started + self._frames * self._period_s
        self._frames += 1
        time.sleep(max(0.0, due - time.monotonic()))
        return RawFrame(np.asarray(bgr, np.uint8), time.monotonic(), time.time())

    def cancel(self) -> None:
        """Do nothing: a frame comes soon."""

    def close(self) -> None:
        """Close the file."""
        if self._capture is not None:
            self._capture.release()


@contextmanager
def _ffmpeg_options(*, checked: bool) -> Iterator[None]:
    """Let FFmpeg open a stream for what is new in it; options that the user has set come first.

    OpenCV takes them from the environment only, and would take them for a file, too.
    """
    users = os.environ.get(_OPTIONS_NAME)
    options = _FFMPEG_OPTIONS if users is None else users
    if checked:
        options += f"|{_TLS_CHECK};1|ca_file;{ssl.get_default_verify_paths().cafile or ''}"
    os.environ[_OPTIONS_NAME] = options
    try:
        yield
    finally:
        del os.environ[_OPTIONS_NAME]
        if users is not None:
            os.environ[_OPTIONS_NAME] = users


def _whole_seconds(deadline: float) -> int:
    return max(1, int(deadline - time.monotonic()))


def _no_frame(deadline: float) -> LateError | LostError:
    # OpenCV says the same of both; FFmpeg looks at its clock a little earlier than we at ours.
    if time.monotonic() >= deadline - 0.25:
        return LateError("no frame in time")
    return LostError("the camera has gone")


def _check_certificate(address: CameraAddress, deadline: float) -> None:
    """Refuse a certificate of another host: FFmpeg does so for names, but not for numbers."""
    try:
        _connected(address, max(0.05, (deadline - time.monotonic()) / 2)).close()
    except ssl.SSLCertVerificationError as error:
        raise untrusted(error) from None
    except OSError:
        return  # FFmpeg meets it, too, and `_why_not` names it


def _why_not(address: CameraAddress, deadline: float) -> LostError | RefusedError:
    """Ask an RTSP server that FFmpeg could not open; OpenCV keeps its reason to itself."""
    timeout_s = max(0.05, (deadline - time.monotonic()) / 2)  # to connect, and to hear
    try:
        status = _describe(address, timeout_s)
    except TimeoutError:
        return LostError("no answer in time")
    except ssl.SSLCertVerificationError as error:
        return untrusted(error)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        return LostError(reason[0].lower() + reason[1:])
    if status == HTTPStatus.UNAUTHORIZED and address.user is not None:
        return RefusedError("the camera refuses the user or the password")
    if 400 <= status < 500:
        mend = "; rtsp://USER:PASSWORD@…" if status == HTTPStatus.UNAUTHORIZED else ""
        return RefusedError(f"the camera refuses: {status_text(status)}{mend}")
    return LostError("the stream cannot be opened")


def _describe(address: CameraAddress, timeout_s: float) -> int:
    """Return the status with which a camera answers a question about its stream; 0 for none."""
    head = f"DESCRIBE {address.url_without_user} RTSP/1.0\r\nCSeq: 1\r\nAccept: application/sdp"
    with _connected(address, timeout_s) as connected:
        connected.sendall(f"{head}\r\n\r\n".encode())
        answer = connected.recv(1024).split(maxsplit=2)
    return int(answer[1]) if len(answer) > 1 and answer[1].isdigit() else 0


def _connected(address: CameraAddress, timeout_s: float) -> socket.socket:
    connected = socket.create_connection((address.host, address.port), timeout=timeout_s)
    if address.scheme != "rtsps":
        return connected
    context = ssl.create_default_context()
    return context.wrap_socket(connected, server_hostname=address.host)
