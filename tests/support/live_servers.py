"""Cameras on loopback that misbehave: Motion JPEG over HTTP, and RTSP with RTP/JPEG over TCP."""

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import cv2
import numpy as np
from numpy.typing import NDArray

from edgeclf.edge_runtime.live.sources.address import CameraAddress

HEADER = b"HTTP/1.0 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=frame\r\n\r\n"


def network_camera(url: str) -> CameraAddress:
    """Return the address of a camera in the network."""
    address = CameraAddress.parse(url)
    assert address is not None
    assert address.is_network
    return address


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
        connected: the socket.
    """

    def __init__(
        self, connected: socket.socket, number: int, request: bytes, released: threading.Event
    ) -> None:
        self.number = number
        self.request = request
        self.released = released
        self.connected = connected

    def send(self, data: bytes) -> None:
        self.connected.sendall(data)

    def receive(self) -> bytes:
        return self.connected.recv(65536)

    def reset(self) -> None:
        """Let the connection end with RST."""
        linger = struct.pack("ii", 1, 0)
        self.connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)


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
        accepting.join(5)  # it may still start one of the threads
        for thread in threads:
            thread.join(5)


def endless(client: Connection) -> None:
    """Send one JPEG after another until the client goes."""
    client.send(HEADER)
    number = 0
    while not client.released.wait(0.02):
        client.send(part(jpeg(number % 256)))
        number += 1


def rtsp(frames: int, *, pause_s: float = 0.05) -> Callable[[Connection], None]:
    """Answer as an RTSP camera (RFC 2326) that sends so many frames by RTP/JPEG (RFC 2435)."""

    def answer(client: Connection) -> None:
        request = client.request
        while b"PLAY" not in request.splitlines()[0]:
            client.send(_rtsp_answer(request))
            request = client.receive()
            if not request:
                return
        client.send(_rtsp_answer(request))
        for number in range(frames):
            packet = _rtp_packet(jpeg(number % 256), number)
            client.send(b"$\0" + struct.pack(">H", len(packet)) + packet)
            time.sleep(pause_s)

    return answer


def _rtsp_answer(request: bytes) -> bytes:
    method, address, _ = request.splitlines()[0].decode().split()
    number = next(line for line in request.splitlines() if line.lower().startswith(b"cseq"))
    head, body = "", ""
    if method == "OPTIONS":
        head = "Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN\r\n"
    elif method == "DESCRIBE":
        body = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=t\r\nt=0 0\r\nm=video 0 RTP/AVP 26\r\n"
        body += "c=IN IP4 0.0.0.0\r\na=control:track0\r\n"
        head = f"Content-Base: {address}/\r\nContent-Type: application/sdp\r\n"
        head += f"Content-Length: {len(body)}\r\n"
    elif method == "SETUP":
        head = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\nSession: 1\r\n"
    elif method == "PLAY":
        head = "Session: 1\r\n"
    return b"RTSP/1.0 200 OK\r\n" + number + f"\r\n{head}\r\n{body}".encode()


def _rtp_packet(data: bytes, number: int) -> bytes:
    """Return one packet with the whole frame: the tables and the scan of a 4:2:0 JPEG."""
    tables, at = b"", 2
    while data[at + 1] != 0xDA:
        marker, length = struct.unpack(">xBH", data[at : at + 4])
        if marker == 0xDB:  # of one table or two, each behind a byte with its number
            segment = data[at + 4 : at + 2 + length]
            tables += b"".join(segment[i + 1 : i + 65] for i in range(0, len(segment), 65))
        if marker == 0xC0:
            height, width = struct.unpack(">HH", data[at + 5 : at + 9])
        at += 2 + length
    scan = data[at + 2 + int.from_bytes(data[at + 2 : at + 4], "big") : -2]
    head = struct.pack(">BBHII", 0x80, 0x80 | 26, number & 0xFFFF, number * 3600, 1)
    head += struct.pack(">IBBBBBBH", 0, 1, 255, width // 8, height // 8, 0, 0, len(tables))
    return head + tables + scan
