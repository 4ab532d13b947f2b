"""Motion JPEG over HTTP: damage, silence, and answers that are no stream."""

import threading
import time

import pytest
from http_camera import (
    DIGEST_ASKED,
    GONE,
    LARGE,
    LONG,
    SHORT,
    close,
    corrupted,
    read,
    reading,
    redirect,
    refusal,
    stall,
    stream,
)
from live_servers import HEADER, Connection, jpeg, network_camera, part, serve

from edgeclf.edge_runtime.live.sources.capture import (
    DamagedError,
    LateError,
    LostError,
    RefusedError,
)
from edgeclf.edge_runtime.live.sources.http_mjpeg import HttpMjpeg


@pytest.mark.parametrize(
    "damaged",
    [
        part(corrupted(jpeg(7, **LARGE))),
        part(corrupted(jpeg(7, **LARGE)), length=False),
        part(jpeg(7)[:200] + bytes(200) + jpeg(7)[400:]),
        part(jpeg(7)[:-300]),
        part(jpeg(7)[:-300], length=False),
        part(b""),
        part(b"<html>busy</html>"),
        # Announced whole, sent in part: the next frame follows at once.
        part(jpeg(7)).replace(jpeg(7), jpeg(7)[:-300]),
        # Announced shorter than it is.
        part(jpeg(7)).replace(b"Length: %d" % len(jpeg(7)), b"Length: %d" % (len(jpeg(7)) - 99)),
    ],
    ids=["hole", "hole without length", "hole in the header", "cut", "cut without length",
         "empty", "text", "less than announced", "more than announced"],
)  # fmt: skip
def test_a_damaged_frame_costs_no_other(damaged: bytes) -> None:
    with reading(stream(part(jpeg(1)), damaged, part(jpeg(2)), part(jpeg(3)))) as capture:
        assert read(capture) == 1
        with pytest.raises(DamagedError) as caught:
            read(capture)
        assert caught.value.damaged == 1
        assert read(capture) == 2
        assert read(capture) == 3


@pytest.mark.parametrize("length", [True, False], ids=["with length", "without"])
def test_a_frame_that_the_end_of_the_connection_cuts_is_damaged(length: bool) -> None:
    cut = part(jpeg(2), length=length)[:-400]
    with reading(stream(part(jpeg(1)), cut)) as capture:
        assert read(capture) == 1
        with pytest.raises(LostError, match=GONE) as caught:
            read(capture)
        assert caught.value.damaged == 1


def test_a_reset_is_named() -> None:
    seen = threading.Event()  # what has not been read is lost with a reset

    def answer(client: Connection) -> None:
        client.send(HEADER + part(jpeg(1)))
        seen.wait(LONG)
        client.reset()

    with reading(answer) as capture:
        assert read(capture) == 1
        seen.set()
        with pytest.raises(LostError, match="reset"):
            read(capture)


@pytest.mark.parametrize("partly", [b"", b"\r\n", part(jpeg(2))[:-400]])
def test_a_frame_that_does_not_come_is_late(partly: bytes) -> None:
    def answer(client: Connection) -> None:
        client.send(HEADER + part(jpeg(1)) + partly)
        client.released.wait(LONG)

    with reading(answer) as capture:
        assert read(capture) == 1
        with pytest.raises(LateError) as caught:
            read(capture, SHORT)
        assert caught.value.damaged == (len(partly) > 99)


def test_a_trickle_does_not_stretch_the_deadline() -> None:
    def answer(client: Connection) -> None:
        client.send(HEADER + part(jpeg(1))[:60])
        while not client.released.wait(0.02):
            client.send(b"x")

    with reading(answer) as capture, pytest.raises(LateError):
        read(capture, SHORT)


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 20",
        b"HTTP/1.1 200 OK\r\nX-Camera: ",
        HEADER.replace(b"\r\n\r\n", b"\r\nTransfer-Encoding: chunked\r\n\r\n")
        .replace(b"HTTP/1.0", b"HTTP/1.1"),
    ],
    ids=["status line", "header", "length of a chunk"],
)  # fmt: skip
def test_an_answer_that_drips_is_late(head: bytes) -> None:
    def answer(client: Connection) -> None:
        client.send(head)
        while not client.released.wait(0.02):
            client.send(b"1")

    with pytest.raises(LateError), reading(answer, deadline_s=SHORT) as capture:
        read(capture, SHORT)


@pytest.mark.parametrize("head", [DIGEST_ASKED, redirect("/live")], ids=["401", "302"])
def test_the_body_of_an_answer_without_pictures_is_not_read(head: bytes) -> None:
    megabytes: list[bytes] = []

    def answer(client: Connection) -> None:
        client.send(head)
        while len(megabytes) < 64:
            client.send(bytes(2**20))
            megabytes.append(b"sent")

    with serve(answer) as port:
        capture = HttpMjpeg(network_camera(f"http://me:secret@127.0.0.1:{port}/video"))
        with pytest.raises(RefusedError, match=r"401|302"):
            capture.open(time.monotonic() + LONG)
        capture.close()
    assert len(megabytes) < 64


def test_a_camera_that_does_not_answer_is_late() -> None:
    with pytest.raises(LateError, match="no answer"), reading(stall, deadline_s=SHORT):
        pass


@pytest.mark.parametrize(
    ("answer", "kind", "reason"),
    [
        (b"HTTP/1.1 403 Forbidden\r\n\r\n", RefusedError, "the camera refuses: 403 Forbidden"),
        (b"HTTP/1.1 404 Not Found\r\n\r\n", RefusedError, "404 Not Found"),
        (b"HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm=x\r\n\r\n", RefusedError, "USER:"),
        (b"HTTP/1.1 302 Found\r\nLocation: /live\r\n\r\n", RefusedError, "to /live"),
        (b"HTTP/1.1 503 Busy\r\n\r\n", LostError, "503 Service Unavailable"),
        (b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n", RefusedError, "text/html"),
        (b"HTTP/1.1 200 OK\r\n\r\n", RefusedError, "no type"),
        (b"SSH-2.0-OpenSSH_9\r\n", LostError, "no HTTP"),
        (b"", LostError, "closed connection"),
    ],
)  # fmt: skip
def test_what_is_no_stream_is_named(answer: bytes, kind: type[Exception], reason: str) -> None:
    error = refusal(answer)
    assert type(error) is kind
    assert reason in str(error)
    assert "\n" not in str(error)


def test_nobody_there_is_named() -> None:
    with serve(close) as port:
        pass
    capture = HttpMjpeg(network_camera(f"http://127.0.0.1:{port}/"))
    with pytest.raises(LostError, match="connection refused"):
        capture.open(time.monotonic() + LONG)
    capture.close()


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (HEADER + b"--frame\r\nContent-Length: 99999999999\r\n\r\n", "99999999999 bytes"),
        (HEADER + b"--frame\r\n" + b"x" * 70_000, "no stream of JPEGs"),
        (HEADER + b"--frame--\r\n", "has ended the stream"),
    ],
)
def test_nonsense_ends_the_connection(answer: bytes, reason: str) -> None:
    with (
        reading(lambda client: client.send(answer)) as capture,
        pytest.raises(LostError, match=reason),
    ):
        read(capture)


def test_cancelling_wakes_up_a_read() -> None:
    def answer(client: Connection) -> None:
        client.send(HEADER)
        client.released.wait(LONG)

    with reading(answer) as capture:
        threading.Timer(0.1, capture.cancel).start()
        with pytest.raises(LostError):
            read(capture)
