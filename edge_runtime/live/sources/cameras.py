"""From the address of a camera, or a video, to what reads it."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from ...errors import EdgeclfError
from .address import CameraAddress
from .capture import Capture


def capture_maker(
    source: CameraAddress | Path, *, size_wh: tuple[int, int] | None = None
) -> Callable[[], Capture]:
    """Return what makes a connection to a camera, or plays a video.

    Args:
        source: a camera, or a video file that is played as a camera would give it.
        size_wh: width and height to ask of the camera, where it can be asked.

    Raises:
        EdgeclfError: no attempt can ever succeed: a missing file, package or secret.
    """
    if isinstance(source, Path):
        from .opencv import RealTimeVideo

        if not source.is_file():
            raise EdgeclfError(f"{source}: no such file")
        return partial(RealTimeVideo, source)
    if source.kind == "http":
        from .http_mjpeg import HttpMjpeg

        return partial(HttpMjpeg, source)
    if source.kind == "picamera":
        from .pi_camera import PiCamera

        PiCamera()  # complains now of what is missing
        return partial(PiCamera, size_wh=size_wh)
    from .opencv import RtspCamera, V4l2Camera

    if source.kind == "rtsp":
        return partial(RtspCamera, source)
    return partial(V4l2Camera, source.name, size_wh=size_wh)
