"""Motion JPEG over HTTP: what well-behaved cameras send, and all that the others do."""

import gc
import hashlib
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from live_servers import (
    HEADER,
    Connection,
    jpeg,
    network_camera,
    number_of,
    part,
    picture,
    serve,
)
from skips import require_linux

from edgeclf.edge_runtime.live.observation import SourceCounts, SourceState
from edgeclf.edge_runtime.live.sources.capture import (
    CaptureError,
    DamagedError,
    LateError,
    LostError,
    RefusedError,
)
from edgeclf.edge_runtime.live.sources.grabber import Grabber
from edgeclf.edge_runtime.live.sources.health import Patience
from edgeclf.edge_runtime.live.sources.http_digest import digest_answer
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


def numbers(answer: Answer) -> list[int]:
    """Return the frames that come before the connection is closed."""
    found: list[int] = []

    def read_all(capture: HttpMjpeg) -> None:
        while True:
            found.append(read(capture))

    with reading(answer) as capture, pytest.raises(LostError, match=GONE) as caught:
        read_all(capture)
    assert caught.value.damaged == 0
    return found


@pytest.mark.parametrize("length", [True, False], ids=["with lengths", "without"])
def test_frames_come_whole_and_in_order(length: bool) -> None:
    assert numbers(stream(*(part(jpeg(n), length=length) for n in range(9)))) == list(range(9))


@pytest.mark.parametrize("length", [True, False], ids=["with lengths", "without"])
@pytest.mark.parametrize("step", [1, 7, 1000])
def test_it_does_not_matter_how_the_network_cuts(length: bool, step: int) -> None:
    data = HEADER + b"".join(part(jpeg(n), length=length) for n in range(3))

    def answer(client: Connection) -> None:
        for at in range(0, len(data), step):
            client.send(data[at : at + step])

    assert numbers(answer) == [0, 1, 2]


def test_a_frame_without_length_does_not_wait_for_the_next_one() -> None:
    def answer(client: Connection) -> None:
        client.send(HEADER + part(jpeg(5), length=False))
        client.released.wait(LONG)

    with reading(answer) as capture:
        assert read(capture) == 5


def test_chunked_answers_are_read() -> None:
    def answer(client: Connection) -> None:
        head = HEADER.replace(b"HTTP/1.0", b"HTTP/1.1")
        client.send(head.replace(b"\r\n\r\n", b"\r\nTransfer-Encoding: chunked\r\n\r\n"))
        for number in range(3):
            data = part(jpeg(number))
            for chunk in (data[:50], data[50:]):
                client.send(b"%x\r\n%b\r\n" % (len(chunk), chunk))
        client.send(b"0\r\n\r\n")

    assert numbers(answer) == [0, 1, 2]


@pytest.mark.parametrize(
    ("header", "boundary"),
    [
        (b'multipart/x-mixed-replace; boundary="frame"', b"frame"),
        (b"multipart/x-mixed-replace;boundary=--frame", b"frame"),
        (b"Multipart/X-Mixed-Replace; Boundary=fr.a+me; charset=utf-8", b"fr.a+me"),
        (b"multipart/x-mixed-replace; boundary = frame", b"frame"),
        (b"multipart/x-mixed-replace; boundary=frame\r\nContent-Length: 0", b"frame"),
        (b"multipart/x-mixed-replace; boundary=frame\r\nContent-Length: 999", b"frame"),
    ],
)
def test_boundaries_as_cameras_write_them(header: bytes, boundary: bytes) -> None:
    def answer(client: Connection) -> None:
        client.send(b"HTTP/1.1 200 OK\r\nContent-Type: " + header + b"\r\n\r\n")
        client.send(part(jpeg(1), boundary=boundary) + part(jpeg(2), boundary=boundary))

    assert numbers(answer) == [1, 2]


@pytest.mark.parametrize("length", [True, False], ids=["with lengths", "without"])
def test_boundaries_without_dashes_are_read(length: bool) -> None:
    data = b"".join(part(jpeg(n), length=length).replace(b"--frame", b"frame") for n in range(4))
    assert numbers(lambda client: client.send(HEADER + data)) == [0, 1, 2, 3]


def test_a_first_boundary_that_is_missing_costs_one_frame() -> None:
    first = part(jpeg(0)).removeprefix(b"--frame\r\n")
    assert numbers(stream(first, part(jpeg(1)), part(jpeg(2)))) == [1, 2]


@pytest.mark.parametrize("wrong", [0, 99, 500], ids=lambda length: f"{length} bytes")
def test_lengths_that_are_wrong_cost_one_frame(wrong: int) -> None:
    parts = [part(jpeg(n)).replace(b"%d" % len(jpeg(n)), b"%d" % wrong) for n in range(4)]
    with reading(stream(*parts)) as capture:
        with pytest.raises(DamagedError):
            read(capture)
        assert [read(capture) for _ in range(3)] == [1, 2, 3]


@pytest.mark.parametrize("length", [True, False], ids=["with length", "without"])
def test_a_camera_of_single_pictures_is_asked_again_and_again(length: bool) -> None:
    def answer(client: Connection) -> None:
        data = jpeg(client.number)
        head = b"Content-Length: %d\r\n" % len(data) if length else b""
        client.send(b"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\n" + head + b"\r\n" + data)

    with reading(answer) as capture:
        assert [read(capture) for _ in range(3)] == [0, 1, 2]


def test_a_single_picture_that_is_cut_or_goes_missing_costs_no_other() -> None:
    answers = [jpeg(0), jpeg(1)[:-300], None, jpeg(3)]

    def answer(client: Connection) -> None:
        data = answers[client.number]
        kind = b"HTTP/1.1 503 Busy\r\n\r\n" if data is None else SINGLE + data
        client.send(kind)

    with reading(answer) as capture:
        assert read(capture) == 0
        with pytest.raises(DamagedError, match="cut short"):
            read(capture)
        with pytest.raises(LostError, match="503 Service"):
            read(capture)
        assert read(capture) == 3


def test_a_single_picture_without_end_is_no_picture() -> None:
    def answer(client: Connection) -> None:
        client.send(SINGLE)
        while not client.released.is_set():
            client.send(bytes(2**20))

    with reading(answer) as capture, pytest.raises(LostError, match="more than 67108864 bytes"):
        read(capture)


SINGLE = b"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\n\r\n"


def test_bytes_that_look_like_a_boundary_inside_a_frame_do_no_harm() -> None:
    comment = b"\xff\xfe\x00\x13\r\n--frame\r\n\r\n\r\n\r\n"
    data = jpeg(3)
    assert numbers(stream(part(data[:2] + comment + data[2:]), part(jpeg(4)))) == [3, 4]


def test_a_password_is_sent_only_to_a_camera_that_asks_and_the_query_always() -> None:
    requests = []

    def answer(client: Connection) -> None:
        requests.append(client.request.decode())
        if "Authorization: Basic bWU6cEBzcw==" in requests[-1]:
            client.send(HEADER + part(jpeg(1)))
        else:
            client.send(b"HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm=x\r\n\r\n")

    with serve(answer) as port:
        capture = HttpMjpeg(network_camera(f"http://me:p%40ss@127.0.0.1:{port}/video?channel=1"))
        capture.open(time.monotonic() + LONG)
        assert read(capture) == 1
        capture.close()
    assert "Authorization" not in requests[0]
    assert [request.split("\r\n")[0] for request in requests] == [
        "GET /video?channel=1 HTTP/1.1"
    ] * 2


CHALLENGE = (
    'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm={}, '
    'nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", '
    'opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
)


@pytest.mark.parametrize(
    ("algorithm", "response"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_digests_are_those_of_the_standard(algorithm: str, response: str) -> None:
    """The example of RFC 7616, 3.9.1."""
    answer = digest_answer(
        CHALLENGE.format(algorithm),
        path="/dir/index.html",
        user="Mufasa",
        password="Circle of Life",
        nonce_of_ours="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
    )
    assert answer is not None
    assert f'response="{response}"' in answer
    assert 'opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"' in answer


@pytest.mark.parametrize(
    "challenge",
    ["", "Basic realm=x", "Digest", 'Digest realm="x"', CHALLENGE.format("SHA-512-256"),
     CHALLENGE.format("MD5").replace("auth, auth-int", "auth-int")],
)  # fmt: skip
def test_what_we_cannot_answer_is_not_answered(challenge: str) -> None:
    assert digest_answer(challenge, path="/", user="me", password="secret") is None


@pytest.mark.parametrize("password", ["right", "wrong"])
def test_a_camera_that_wants_a_digest_gets_it(password: str) -> None:
    def answer(client: Connection) -> None:
        asked = client.request.decode()
        expected = 'Digest username="me", realm="cam", nonce="n", uri="/v?a=1"'
        proof = md5(f"{md5('me:cam:right')}:n:{md5('GET:/v?a=1')}")
        if expected in asked and f'response="{proof}"' in asked:
            client.send(HEADER + part(jpeg(3)))
        else:
            client.send(
                b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=x\r\n"
                b'WWW-Authenticate: Digest realm="cam", nonce="n"\r\n\r\n'
            )

    with serve(answer) as port:
        capture = HttpMjpeg(network_camera(f"http://me:{password}@127.0.0.1:{port}/v?a=1"))
        if password == "right":
            capture.open(time.monotonic() + LONG)
            assert read(capture) == 3
        else:
            with pytest.raises(RefusedError, match="check user and password"):
                capture.open(time.monotonic() + LONG)
        capture.close()


def md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()


# Redirects.


def redirect(location: str, status: bytes = b"302 Found") -> bytes:
    return b"HTTP/1.1 %b\r\nLocation: %b\r\n\r\n" % (status, location.encode())


def asked_path(client: Connection) -> str:
    return client.request.split(b" ")[1].decode()


@pytest.mark.parametrize("status", [b"301 Moved", b"302 Found", b"303 See", b"307 Go", b"308 Go"])
def test_a_redirect_is_followed(status: bytes) -> None:
    def answer(client: Connection) -> None:
        if asked_path(client) == "/live?channel=1":
            client.send(HEADER + part(jpeg(4)))
        else:
            client.send(redirect("live?channel=1", status))

    with reading(answer) as capture:
        assert read(capture) == 4


def test_a_digest_behind_a_redirect_is_that_of_the_new_path() -> None:
    proof = md5(f"{md5('me:cam:right')}:n:{md5('GET:/live')}")

    def answer(client: Connection) -> None:
        if asked_path(client) == "/video":
            client.send(redirect("/live"))
        elif f'response="{proof}"' in client.request.decode():
            client.send(HEADER + part(jpeg(5)))
        else:
            client.send(DIGEST_ASKED)

    with serve(answer) as port:
        capture = HttpMjpeg(network_camera(f"http://me:right@127.0.0.1:{port}/video"))
        capture.open(time.monotonic() + LONG)
        assert read(capture) == 5
        capture.close()


BASIC_ASKED = b"HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm=x\r\n\r\n"
DIGEST_ASKED = b'HTTP/1.1 401 No\r\nWWW-Authenticate: Digest realm="cam", nonce="n"\r\n\r\n'


@pytest.mark.parametrize("asked_first", [False, True], ids=["asked there", "asked here, too"])
@pytest.mark.parametrize("asks", [BASIC_ASKED, DIGEST_ASKED], ids=["Basic", "Digest"])
@pytest.mark.parametrize("location", ["http://localhost:{}/x", "http://me:secret@127.0.0.1:{}/x"])
def test_a_password_does_not_follow_to_another_host(
    asks: bytes, asked_first: bool, location: str
) -> None:
    requests: list[bytes] = []

    def other(client: Connection) -> None:
        requests.append(client.request)
        client.send(asks)

    with serve(other) as other_port:

        def answer(client: Connection) -> None:
            if asked_first and b"Authorization" not in client.request:
                client.send(asks)
            else:
                client.send(redirect(location.format(other_port)))

        with serve(answer) as port:
            capture = HttpMjpeg(network_camera(f"http://me:secret@127.0.0.1:{port}/video"))
            with pytest.raises(RefusedError, match="401"):
                capture.open(time.monotonic() + LONG)
            capture.close()
    assert len(requests) == 1
    assert b"Authorization" not in requests[0]


@pytest.mark.parametrize(
    "target", ["ftp://127.0.0.1/x", "file:///etc/passwd", "rtsp://127.0.0.1/x"]
)
def test_other_schemes_are_not_followed(target: str) -> None:
    error = refusal(redirect(target))
    assert type(error) is RefusedError
    assert "302 Found" in str(error)


def test_redirects_have_an_end() -> None:
    connections: list[str] = []

    def answer(client: Connection) -> None:
        connections.append(asked_path(client))
        client.send(redirect(f"/{client.number}"))

    with pytest.raises(RefusedError, match="302 Found"), reading(answer):
        pass
    assert len(connections) == 5


# What goes wrong.


def corrupted(data: bytes) -> bytes:
    """Zero bytes in the middle of the picture."""
    middle = len(data) * 2 // 3
    return data[:middle] + bytes(200) + data[middle + 200 :]


LARGE = {"height": 240, "width": 320}


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


def refusal(answer: bytes) -> CaptureError:
    with pytest.raises(CaptureError) as caught, reading(lambda client: client.send(answer)):
        pass
    return caught.value


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


# The grabber on top of it: it goes on, and its counts are exact.


SOON = Patience(
    deadline_s=LONG,
    stale_s=LONG,
    first_wait_s=0.001,
    longest_wait_s=0.01,
    attempts_a_minute=10_000,
)


@contextmanager
def grabbing(answer: Answer, *, deadline_s: float = LONG) -> Iterator[Grabber]:
    patience = replace(SOON, deadline_s=deadline_s)
    with serve(answer) as port:
        url = f"http://127.0.0.1:{port}/"
        grabber = Grabber(lambda: HttpMjpeg(network_camera(url)), name="camera", patience=patience)
        try:
            yield grabber
        finally:
            grabber.close(LONG)


FRAMES = 6


class Story:
    """A camera whose first connections end badly, after some frames; the last one lasts.

    Attributes:
        seen: the frames that were taken.
    """

    def __init__(self, ending: Answer, *, endings: int) -> None:
        self.seen: list[int] = []
        self.last = 10 * endings + FRAMES - 1
        self.sent = [
            10 * connection + number
            for connection in range(endings + 1)
            for number in range(FRAMES)
        ]
        self._ending = ending
        self._endings = endings

    def answer(self, client: Connection) -> None:
        client.send(HEADER)
        for number in range(FRAMES):
            client.send(part(jpeg(10 * client.number + number)))
            time.sleep(0.01)
        if client.number == self._endings:
            client.released.wait(LONG)
            return
        while 10 * client.number + FRAMES - 1 not in self.seen:
            if client.released.wait(0.01):
                return
        self._ending(client)


def stall(client: Connection) -> None:
    client.released.wait(LONG)


def cut(client: Connection) -> None:
    client.send(part(jpeg(77))[:-500])


def reset(client: Connection) -> None:
    client.reset()


def corrupt(client: Connection) -> None:
    for _ in range(4):
        client.send(part(corrupted(jpeg(77, **LARGE))))


def close(client: Connection) -> None:
    del client


@pytest.mark.parametrize(
    ("ending", "endings", "damaged", "timeouts"),
    [(close, 3, 0, 0), (reset, 3, 0, 0), (cut, 3, 3, 0), (corrupt, 3, 12, 0), (stall, 1, 0, 1)],
)
def test_it_goes_on_whatever_happens_and_counts_exactly(
    ending: Answer, endings: int, damaged: int, timeouts: int
) -> None:
    story = Story(ending, endings=endings)
    with grabbing(story.answer, deadline_s=3.0 if ending is stall else LONG) as grabber:
        end = time.monotonic() + LONG
        while story.last not in story.seen and time.monotonic() < end:
            got = grabber.take(0.1)
            if got is not None:
                story.seen.append(number_of(got.bgr))
        counts = grabber.health().counts
        assert grabber.health().state is SourceState.LIVE
    assert set(story.seen) <= set(story.sent)  # nothing damaged, nothing made up
    assert story.seen == sorted(story.seen)
    assert counts == SourceCounts(
        received=len(story.sent),
        replaced=len(story.sent) - len(story.seen),
        damaged=damaged,
        timeouts=timeouts,
        disconnects=endings,
        connects=endings + 1,
    )


def test_threads_and_descriptors_do_not_grow() -> None:
    require_linux()
    folder = Path("/proc/self/fd")
    decode_jpeg(jpeg(0))
    before = threading.active_count(), len(list(folder.iterdir()))
    with grabbing(stream(part(jpeg(1)))) as grabber:
        end = time.monotonic() + LONG
        while grabber.health().counts.connects < 20 and time.monotonic() < end:
            grabber.take(0.01)
    assert grabber.health().counts.connects >= 20
    assert (threading.active_count(), len(list(folder.iterdir()))) == before


def test_a_lost_connection_is_freed_at_once() -> None:
    """A cycle of references would keep it, its buffer and its last frame for minutes."""
    made: list[weakref.ref[HttpMjpeg]] = []
    with serve(stream(part(jpeg(1)), part(corrupted(jpeg(2, **LARGE))), part(jpeg(3)))) as port:

        def connect() -> HttpMjpeg:
            capture = HttpMjpeg(network_camera(f"http://127.0.0.1:{port}/"))
            made.append(weakref.ref(capture))
            return capture

        gc.disable()
        try:
            grabber = Grabber(connect, name="camera", patience=SOON)
            end = time.monotonic() + LONG
            while grabber.health().counts.disconnects < 5 and time.monotonic() < end:
                grabber.take(0.01)
            grabber.close(LONG)
            counts = grabber.health().counts
            assert (counts.disconnects >= 5, counts.damaged >= 5) == (True, True)
            assert [each() for each in made] == [None] * len(made)
        finally:
            gc.enable()


def test_pictures_of_the_tests_are_distinct() -> None:
    assert [number_of(picture(number)) for number in range(256)] == list(range(256))
