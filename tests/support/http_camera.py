"""A camera of Motion JPEG over HTTP that answers as a test says, and who reads it."""

import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from live_servers import HEADER, Connection, network_camera, number_of, serve

from edgeclf.edge_runtime.live.sources.capture import CaptureError
from edgeclf.edge_runtime.live.sources.http_mjpeg import HttpMjpeg
from edgeclf.edge_runtime.live.sources.jpeg import decode_jpeg

LONG = 30.0


SHORT = 0.4  # the deadline where one is meant to pass


GONE = "the camera has closed the connection"


Answer = Callable[[Connection], None]


def stream(*parts: bytes) -> Answer:
    return lambda client: client.send(HEADER + b"".join(parts))


@contextmanager
def reading(
    answer: Answer, path: str = "/video", *, deadline_s: float = LONG
) -> Iterator[HttpMjpeg]:
    with serve(answer) as port:
        capture = HttpMjpeg(network_camera(f"http://127.0.0.1:{port}{path}"))
        try:
            capture.open(time.monotonic() + deadline_s)
            yield capture
        finally:
            capture.close()


def read(capture: HttpMjpeg, deadline_s: float = LONG) -> int:
    raw = capture.read(time.monotonic() + deadline_s)
    assert isinstance(raw.pixels, bytes)
    assert raw.arrived <= time.monotonic()
    assert raw.taken_at <= time.time()
    return number_of(decode_jpeg(raw.pixels))


def md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()


def redirect(location: str, status: bytes = b"302 Found") -> bytes:
    return b"HTTP/1.1 %b\r\nLocation: %b\r\n\r\n" % (status, location.encode())


BASIC_ASKED = b"HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm=x\r\n\r\n"


DIGEST_ASKED = b'HTTP/1.1 401 No\r\nWWW-Authenticate: Digest realm="cam", nonce="n"\r\n\r\n'


def corrupted(data: bytes) -> bytes:
    """Zero bytes in the middle of the picture."""
    middle = len(data) * 2 // 3
    return data[:middle] + bytes(200) + data[middle + 200 :]


LARGE = {"height": 240, "width": 320}


def refusal(answer: bytes) -> CaptureError:
    with pytest.raises(CaptureError) as caught, reading(lambda client: client.send(answer)):
        pass
    return caught.value


def stall(client: Connection) -> None:
    client.released.wait(LONG)


def close(client: Connection) -> None:
    del client
