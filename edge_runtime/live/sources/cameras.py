"""From what the user calls a camera to what reads it."""

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from ...errors import EdgeclfError
from ...sources import PI_CAMERA, is_video
from .capture import Capture

_SECRET = re.compile(r"([^&=]*(?:pass|pwd|psw|token|auth|key|secret)[^&=]*=)[^&]*", re.IGNORECASE)


def find_camera(
    source: str, *, size_wh: tuple[int, int] | None = None
) -> tuple[str, Callable[[], Capture]]:
    """Return the name of a camera, without password, and what makes a connection to it.

    Args:
        source: a number, a device, `picamera`, an address (rtsp, http) or a video file.
        size_wh: width and height to ask of the camera, where it can be asked.

    Raises:
        EdgeclfError: no attempt can ever succeed: a malformed address, a missing package.
    """
    scheme = source.partition("://")[0].lower() if "://" in source else ""
    if scheme:
        name = _public_name(source)
        if scheme in {"http", "https"}:
            from .http_mjpeg import HttpMjpeg

            return name, partial(HttpMjpeg, source)
        from .opencv import RtspCamera

        return name, partial(RtspCamera, source)
    if source == PI_CAMERA:
        from .pi_camera import PiCamera

        PiCamera()  # complains now of what is missing
        return source, partial(PiCamera, size_wh=size_wh)
    if is_video(Path(source)):
        from .opencv import RealTimeVideo

        if not Path(source).is_file():
            raise EdgeclfError(f"{source}: no such file")
        return source, partial(RealTimeVideo, Path(source))
    from .opencv import V4l2Camera

    device = f"/dev/video{int(source)}" if source.isdigit() else source
    return device, partial(V4l2Camera, device, size_wh=size_wh)


def _public_name(url: str) -> str:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise EdgeclfError(
            f"{url.rpartition('@')[2]}: not an address ({error}); give SCHEME://HOST[:PORT]/PATH"
        ) from None
    if not parts.hostname:
        raise EdgeclfError(f"{url}: names no host; give {parts.scheme}://HOST[:PORT]/PATH")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    address = host + (f":{port}" if port else "")
    return parts._replace(netloc=address, query=_SECRET.sub(r"\1***", parts.query)).geturl()
