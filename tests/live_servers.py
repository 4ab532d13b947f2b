"""Cameras on loopback that misbehave: Motion JPEG over HTTP, and RTSP with RTP/JPEG over TCP."""

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import cv2
import numpy as np
from numpy.typing import NDArray

HEADER = b"HTTP/1.0 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=frame\r\n\r\n"


def picture(number: int, height: int = 48, width: int = 64) -> NDArray[np.uint8]:
    """Draw a frame that is unlike the others: a textured ground with its number in 8 bars."""
    rng = np.random.default_rng(0)
    ground = rng.integers(60, 120, (height // 8, width // 8, 3), dtype=np.uint8)
    bgr = np.asarray(cv2.resize(ground, (width, height)), np.uint8)
    bar = width // 8
    for bit in range(8):
        bgr[: height // 2, bit * bar : (bit + 1) * bar] = 255 if number >> bit & 1 else 0
    return bgr


def number_of(bgr: NDArray[np.uint8]) -> int:
    """Read the number of a frame of `picture`."""
    height, width = bgr.shape[:2]
    bar = width // 8
    levels = [bgr[: height // 2, bit * bar : (bit + 1) * bar].mean() for bit in range(8)]
    return sum(1 << bit for bit, level in enumerate(levels) if level > 127)


def jpeg(number: int, *flags: int, height: int = 48, width: int = 64) -> bytes:
    """Return a frame of `picture` as JPEG."""
    ok, data = cv2.imencode(".jpg", picture(number, height, width), flags)
    assert ok
    return data.tobytes()


def part(data: bytes, *, length: bool = True, boundary: bytes = b"frame") -> bytes:
    """Return the part of a multipart stream that holds `data`."""
    head = b"--" + boundary + b"\r\nContent-Type: image/jpeg\r\n"
    if length:
        head += b"Content-Length: %d\r\n" % len(data)
    return head + b"\r\n" + data + b"\r\n"


class Connection:
    """A client of `serve`.

    Attributes:
        number: how many came before it.
        request: what it asked, with the head.
        released: set when the server ends: what a hanging camera waits for.
    """

    def __init__(
        self, connected: socket.socket, number: int, request: bytes, released: threading.Event
    ) -> None:
        self.number = number
        self.request = request
        self.released = released
        self._connected = connected

    def send(self, data: bytes) -> None:
        self._connected.sendall(data)

    def reset(self) -> None:
        """Let the connection end with RST."""
        linger = struct.pack("ii", 1, 0)
        self._connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)


@contextmanager
def serve(answer: Callable[[Connection], None], *, reads: bool = True) -> Iterator[int]:
    """Answer each connection with `answer` on a thread, then close it; yield the port."""
    listening = socket.create_server(("127.0.0.1", 0))
    released = threading.Event()
    threads: list[threading.Thread] = []

    def talk(connected: socket.socket, number: int) -> None:
        with connected:
            try:
                request = connected.recv(65536) if reads else b""
                answer(Connection(connected, number, request, released))
            except OSError:
                return  # the client has gone: that is its right

    def accept() -> None:
        while True:
            try:
                connected, _ = listening.accept()
            except OSError:
                return
            thread = threading.Thread(target=talk, args=(connected, len(threads)), daemon=True)
            threads.append(thread)
            thread.start()

    accepting = threading.Thread(target=accept, daemon=True)
    accepting.start()
    try:
        yield listening.getsockname()[1]
    finally:
        released.set()
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        for thread in (accepting, *threads):
            thread.join(5)
