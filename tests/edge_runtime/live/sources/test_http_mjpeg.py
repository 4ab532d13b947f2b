"""Motion JPEG over HTTP: what well-behaved cameras send."""

import pytest
from http_camera import GONE, LONG, Answer, read, reading, stream
from live_servers import HEADER, Connection, jpeg, part

from edgeclf.edge_runtime.live.sources.capture import DamagedError, LostError
from edgeclf.edge_runtime.live.sources.http_mjpeg import HttpMjpeg


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
