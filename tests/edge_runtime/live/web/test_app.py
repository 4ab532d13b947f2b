"""The web view's server: one encoding for all, nobody slows anybody, and who may ask."""

import base64
import itertools
import json
import re
import socket
import struct
import subprocess
import threading
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPResponse
from typing import Any

import click
import cv2
import numpy as np
import pytest
from live_feed import LABELS, changed, health, observed, plain
from numpy.typing import NDArray
from schemas import valid

from edgeclf.edge_runtime.errors import EdgeclfError
from edgeclf.edge_runtime.images import RGBImage
from edgeclf.edge_runtime.images.size import image_size
from edgeclf.edge_runtime.live.observation import SourceState
from edgeclf.edge_runtime.live.web.options import Address, open_web, web_options
from edgeclf.edge_runtime.live.web.pictures import LONGEST_SIDE, PictureMaker
from edgeclf.edge_runtime.live.web.view import WebView
from edgeclf.edge_runtime.prediction import Prediction
from edgeclf.edge_runtime.preprocess import RESIZE_RULES, ResizeRule, preprocess, seen_part

PATIENCE_S = 60
FreshPython = Callable[..., "subprocess.CompletedProcess[str]"]


class Seen:
    """A classifier that remembers the photographs it was asked about."""

    def __init__(self) -> None:
        self.photographs: list[RGBImage] = []

    def __call__(self, rgb: RGBImage) -> Prediction:
        self.photographs.append(rgb)
        heatmap = np.eye(2, dtype=np.float32)
        return Prediction("oil", 0.75, (("oil", 0.75), ("good", 0.25)), 5.0, heatmap)


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        assert self.headers["content-type"] == "application/json"
        return json.loads(self.body)


@pytest.fixture
def seen() -> Seen:
    return Seen()


@contextmanager
def opened(seen: Seen, *, host: str = "127.0.0.1", token: str | None = None) -> Iterator[WebView]:
    view = open_web(
        Address(host, 0),
        token,
        classify=seen,
        labels=LABELS,
        heatmap=True,
        input_hw=(32, 32),
        resize="stretch",
        thresholds={"oil": 0.6},
        title="test",
    )
    try:
        yield view
    finally:
        view.close()


@pytest.fixture
def view(seen: Seen) -> Iterator[WebView]:
    with opened(seen) as view:
        yield view


def request(
    view: WebView, path: str, *, method: str = "GET", body: Any = None, **headers: str
) -> Answer:
    """Ask; underscores in the names of `headers` stand for hyphens."""
    connection = HTTPConnection("127.0.0.1", view.port, timeout=PATIENCE_S)
    try:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body, named)
        response = connection.getresponse()
        low = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, low, response.read())
    finally:
        connection.close()


@contextmanager
def listening(view: WebView, path: str) -> Iterator[HTTPResponse]:
    connection = HTTPConnection("127.0.0.1", view.port, timeout=PATIENCE_S)
    try:
        connection.request("GET", path)
        yield connection.getresponse()
    finally:
        connection.close()


def messages(response: HTTPResponse) -> Iterator[tuple[str, Any]]:
    """Yield the Server-Sent Events with their data."""
    name = ""
    for line in response:
        field, _, value = line.decode().rstrip("\n").partition(": ")
        if field == "event":
            name = value
        elif field == "data":
            yield name, json.loads(value)


def next_message(response: HTTPResponse, name: str) -> Any:
    return next(data for found, data in messages(response) if found == name)


def frame(view: WebView, after: int = 0, *, heatmap: bool = False) -> Answer:
    return request(view, f"/frame.jpg?after={after}&heatmap={int(heatmap)}")


def decoded(jpeg: bytes) -> NDArray[np.uint8]:
    return np.asarray(cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR), np.uint8)


def encoded(suffix: str, image: NDArray[np.uint8], *options: int) -> bytes:
    return cv2.imencode(suffix, image, options)[1].tobytes()


# The page.


@pytest.mark.parametrize(
    ("path", "media_type"),
    [
        ("/", "text/html; charset=utf-8"),
        ("/page.css", "text/css; charset=utf-8"),
        ("/page.js", "text/javascript; charset=utf-8"),
        ("/icon.svg", "image/svg+xml"),
    ],
)
def test_the_page_needs_nothing_from_outside(view: WebView, path: str, media_type: str) -> None:
    answer = request(view, path)
    assert (answer.status, answer.headers["content-type"]) == (200, media_type)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-frame-options"] == "DENY"
    text = answer.body.decode().replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"https?://|@import|url\(", text)
    if path == "/":
        assert not re.search(r"<script(?![^>]* src=)|<style|\sstyle=|\son[a-z]+=", text)


def test_what_is_not_there_is_said_as_json(view: WebView) -> None:
    assert request(view, "/other").status == 404
    assert request(view, "/other").json == {"error": "Not Found"}
    assert request(view, "/classify").status == 405
    assert request(view, "/stream", method="POST", body=b"").status == 405


def test_head_ends(view: WebView) -> None:
    for path in ("/", "/stream", "/state", "/healthz"):
        assert request(view, path, method="HEAD").body == b""


# Pictures.


def test_a_picture_is_the_newest_frame(view: WebView) -> None:
    for number, grey in enumerate((10, 120, 230)):
        view.observe(observed(number, bgr=plain(grey)))
    answer = frame(view)
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.headers["x-number"] == "3"
    picture = decoded(answer.body)
    assert picture.shape == (48, 64, 3)
    assert abs(float(picture.mean()) - 230) < 2


def test_a_large_frame_is_made_small(view: WebView) -> None:
    view.observe(observed(bgr=plain(50, height=1080, width=1920)))
    assert decoded(frame(view).body).shape == (540, LONGEST_SIDE, 3)


def test_who_has_the_newest_picture_waits_for_the_next(view: WebView) -> None:
    view.observe(observed(0, bgr=plain(10)))
    assert frame(view).headers["x-number"] == "1"
    with ThreadPoolExecutor() as threads:
        waiting = threads.submit(frame, view, after=1)
        view.observe(observed(1, bgr=plain(200)))
        answer = waiting.result(PATIENCE_S)
    assert answer.headers["x-number"] == "2"
    assert decoded(answer.body).mean() > 190


@pytest.mark.parametrize("after", ["99", "-1", "x", "", "9" * 30])
def test_a_page_that_outlived_a_server_gets_a_picture(view: WebView, after: str) -> None:
    view.observe(observed())
    assert request(view, f"/frame.jpg?after={after}").headers["x-number"] == "1"


def test_many_viewers_cost_one_encoding_a_frame(view: WebView) -> None:
    viewers, frames = 5, 12
    with ThreadPoolExecutor(viewers) as threads:
        for number in range(frames):
            early = [threads.submit(frame, view, after=number) for _ in range(viewers - 2)]
            view.observe(observed(number, bgr=plain(number)))
            late = [threads.submit(frame, view, after=number) for _ in range(2)]
            answers = [future.result(PATIENCE_S) for future in early + late]
            assert {answer.headers["x-number"] for answer in answers} == {str(number + 1)}
            assert len({answer.body for answer in answers}) == 1
            assert view.feed.encoded == number + 1


def test_nobody_looks_and_nothing_is_encoded(view: WebView) -> None:
    with listening(view, "/state") as news:
        for number in range(50):
            view.observe(observed(number))
        assert any(state["number"] == 50 for name, state in messages(news) if name == "state")
    assert view.feed.encoded == 0


def test_the_stream_is_multipart_and_moves(view: WebView) -> None:
    view.observe(observed(0, bgr=plain(0)))
    with listening(view, "/stream") as stream:
        parts = read_parts(stream)
        assert decoded(next(parts)).mean() < 5
        view.observe(observed(1, bgr=plain(255)))
        assert decoded(next(parts)).mean() > 250


def read_parts(stream: HTTPResponse) -> Iterator[bytes]:
    media_type = stream.getheader("content-type") or ""
    boundary = media_type.partition("boundary=")[2].encode()
    assert stream.readline() == b"--" + boundary + b"\r\n"
    while True:
        head = list(itertools.takewhile(bytes.strip, iter(stream.readline, b"")))
        if not head:
            return
        length = int(dict(line.strip().split(b": ") for line in head)[b"Content-Length"])
        yield stream.read(length)
        assert stream.readline() == b"\r\n"
        assert stream.readline() == b"--" + boundary + b"\r\n"


def test_a_slow_viewer_skips_and_slows_nobody(view: WebView) -> None:
    frames = 60
    noise = np.random.default_rng(0).integers(0, 256, (720, 960, 3), dtype=np.uint8)
    view.observe(observed(0, bgr=noise))
    with listening(view, "/stream") as slow:
        for number in range(1, frames):
            last = plain(255) if number == frames - 1 else noise
            view.observe(observed(number, bgr=last))
            assert frame(view, after=number).headers["x-number"] == str(number + 1)
        assert view.feed.encoded <= frames
        taken = 1
        for part in read_parts(slow):  # from here on it is as fast as anybody
            if decoded(part).shape == (48, 64, 3):
                break
            taken += 1
    assert taken < frames / 2


def test_heatmaps_are_made_while_somebody_looks(view: WebView) -> None:
    assert not view.wants_heatmap
    heatmap = np.zeros((2, 2), np.float32)
    heatmap[0, 0] = 1
    view.observe(observed(0, bgr=plain(128)))
    bare = frame(view, heatmap=True)
    assert view.wants_heatmap
    assert bare.body == frame(view).body
    assert view.feed.encoded == 1

    view.observe(observed(1, bgr=plain(128), heatmap=heatmap))
    overlaid, usual = frame(view, heatmap=True), frame(view)
    assert view.feed.encoded == 3
    assert usual.body == bare.body
    picture = decoded(overlaid.body)
    assert picture[:8, :8].mean() > 120
    assert picture[-8:, -8:].mean() < 70


@pytest.mark.parametrize("rule", RESIZE_RULES)
@pytest.mark.parametrize("shape_hw", [(60, 100), (100, 60), (64, 64), (37, 91), (500, 20)])
def test_a_heatmap_lies_where_the_model_saw(rule: ResizeRule, shape_hw: tuple[int, int]) -> None:
    """A white square that the model sees in one cell of its input is what that cell covers."""
    height, width = shape_hw
    top, left, rows, columns = seen_part(shape_hw, size_hw=(32, 32), rule=rule)
    places_y, places_x = np.mgrid[0:height, 0:width]
    cell_y, cell_x = (places_y - top) * 4 // rows, (places_x - left) * 4 // columns
    for y, x in itertools.product(range(4), range(4)):
        image = np.zeros((height, width, 3), np.uint8)
        image[(cell_y == y) & (cell_x == x)] = 255
        if image.any(axis=2).sum() < rows * columns / 64:  # the border of a padded input
            continue
        model_input = preprocess(image, size_hw=(32, 32), rule=rule)[..., 0].astype(float)
        inside = model_input[8 * y : 8 * y + 8, 8 * x : 8 * x + 8].sum()
        assert inside > 0.75 * model_input.sum()


@pytest.mark.parametrize("rule", RESIZE_RULES)
def test_what_the_model_did_not_see_stays_as_it_is(rule: ResizeRule) -> None:
    image = np.full((60, 100, 3), 90, np.uint8)
    maker = PictureMaker(input_hw=(32, 32), rule=rule)
    mixed = maker.overlay(image, np.ones((4, 4), np.float32))
    assert mixed.shape == image.shape
    touched = (mixed != image).any(axis=(0, 2))
    assert touched[20:80].all()
    assert touched[:19].any() == touched[81:].any() == (rule != "crop")
    assert (image == 90).all()


# What the page is told.


def test_the_state_tells_all(view: WebView) -> None:
    view.report_health(health(SourceState.LIVE, seconds_ago=30))
    view.report_event(changed("oil", "good"), observed())
    view.observe(observed(7))
    with listening(view, "/state") as news:
        assert news.getheader("content-type") == "text/event-stream; charset=utf-8"
        about = next_message(news, "about")
        [event] = next_message(news, "events")
        state = next_message(news, "state")
    assert about["labels"] == list(LABELS)
    assert about["thresholds"] == {"oil": 0.6}
    assert about["heatmap"] is True
    assert (event["label"], event["previous"]) == ("oil", "good")
    assert (event["time"], event["source"]) == ("2027-01-15T08:00:00.000Z", "rtsp://camera/1")
    assert state["state"] == "live"
    assert state["source"] == "rtsp://camera/1"
    assert state["for_s"] >= 30
    assert state["counts"]["damaged"] == 3
    assert (state["label"], state["score"], state["frame"]) == ("oil", 0.7, 7)
    assert (state["frame_label"], state["frame_score"], state["refused"]) == ("oil", 0.7, None)
    assert state["schema"] == event["schema"] == 1
    assert state["time"].endswith("Z")
    assert state["scores"] == [["good", 0.1], ["oil", 0.7], ["scratch", 0.1], ["stain", 0.1]]
    assert (state["age_ms"], state["ms"]) == (14.0, 12.5)


def test_news_come_by_themselves(view: WebView) -> None:
    with listening(view, "/state") as news:
        stream = messages(news)

        def until(wanted: Callable[[str, Any], bool]) -> Any:
            return next(data for name, data in stream if wanted(name, data))

        until(lambda name, data: name == "state" and data["state"] == "connecting")
        view.report_health(health(SourceState.DEAD, "unplugged"))
        dead = until(lambda name, data: name == "state" and data["state"] == "dead")
        assert dead["reason"] == "unplugged"
        view.report_event(changed("stain", None), observed())
        assert until(lambda name, data: name == "events" and data)[0]["label"] == "stain"
        view.close()
        assert [name for name, _ in stream][-1:] == ["end"]


def test_of_many_classes_the_best_are_shown(seen: Seen) -> None:
    labels = tuple(f"class {i}" for i in range(1000))
    view = open_web(
        Address("127.0.0.1", 0),
        None,
        classify=seen,
        labels=labels,
        heatmap=False,
        input_hw=(32, 32),
        resize="crop",
    )
    view.observe(observed(labels=labels, label="class 512"))
    with listening(view, "/state") as news:
        scores = next_message(news, "state")["scores"]
    view.close()
    assert len(scores) == 8
    assert scores[0] == ["class 512", 0.7]


@pytest.mark.parametrize("state", SourceState)
def test_healthz_is_well_only_while_live(view: WebView, state: SourceState) -> None:
    first = valid("device/live-health", request(view, "/healthz").json)
    assert first["state"] == "connecting"
    view.observe(observed())
    view.report_health(health(state, "" if state is SourceState.LIVE else "why"))
    answer = request(view, "/healthz")
    assert valid("device/live-health", answer.json)["state"] == state.value
    assert answer.status == (200 if state is SourceState.LIVE else 503)


def test_a_camera_is_not_live_by_its_word_alone(view: WebView) -> None:
    view.report_health(health(SourceState.LIVE))
    view.observe(observed(seconds_ago=60))
    answer = request(view, "/healthz")
    assert answer.status == 503
    assert (answer.json["state"], answer.json["reason"]) == ("stale", "no frame was classified")


def test_close_ends_all_viewers_and_the_thread(seen: Seen) -> None:
    before = set(threading.enumerate())
    with opened(seen) as view, listening(view, "/stream") as stream, listening(view, "/state"):
        view.observe(observed())
        next(read_parts(stream))
        view.close()
        assert stream.read().count(b"image/jpeg") <= 1
    view.observe(observed())  # a loop that ends at the same time
    alive = [thread for thread in set(threading.enumerate()) - before if "web" in thread.name]
    for thread in alive:
        thread.join(PATIENCE_S)
        assert not thread.is_alive()
    with pytest.raises(OSError, match="refused"):
        request(view, "/healthz")


# Photographs.


def photograph(height: int = 30, width: int = 40) -> NDArray[np.uint8]:
    image = np.zeros((height, width, 3), np.uint8)
    image[: height // 2] = (0, 0, 255)  # red above, as BGR
    return image


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".bmp", ".tiff"])
def test_a_photograph_is_classified(view: WebView, seen: Seen, suffix: str) -> None:
    body = encoded(suffix, photograph())
    answer = request(view, "/classify", method="POST", body=body)
    assert answer.status == 200
    assert valid("device/classify", answer.json)["label"] == "oil"
    assert answer.json["top"] == [["oil", 0.75], ["good", 0.25]]
    assert (answer.json["schema"], answer.json["type"]) == (1, "frame")
    kind, _, data = answer.json["overlay"].partition(",")
    assert kind == "data:image/jpeg;base64"
    assert decoded(base64.b64decode(data)).shape == (30, 40, 3)
    [rgb] = seen.photographs
    assert rgb.shape == (30, 40, 3)
    assert rgb[5, 20, 0] > 240
    assert rgb[5, 20, 2] < 20


def test_a_form_is_understood(view: WebView, seen: Seen) -> None:
    png = encoded(".png", photograph())
    body = (
        b'--x1\r\nContent-Disposition: form-data; name="note"\r\n\r\nhello\r\n'
        b'--x1\r\nContent-Disposition: form-data; name="photo"; filename="a.png"\r\n'
        b"Content-Type: image/png\r\n\r\n" + png + b"\r\n--x1--\r\n"
    )
    content_type = 'multipart/form-data; boundary="x1"'
    answer = request(view, "/classify", method="POST", body=body, Content_Type=content_type)
    assert answer.status == 200
    np.testing.assert_array_equal(seen.photographs[0], photograph()[..., ::-1])
    for damaged in (b"", b"--x1--\r\n", body.replace(b"filename", b"name2")):
        answer = request(view, "/classify", method="POST", body=damaged, Content_Type=content_type)
        assert answer.status == 400
    answer = request(
        view, "/classify", method="POST", body=body, Content_Type="multipart/form-data"
    )
    assert answer.status == 400


PHOTO = b'Content-Disposition: form-data; name="photo"; filename="a.png"\r\n'
NOTE = b'Content-Disposition: form-data; name="note"\r\n'


def form(*parts: tuple[bytes, bytes], boundary: bytes = b"x1") -> bytes:
    """Return a multipart form of parts with the given header lines and contents."""
    body = b"".join(b"--%b\r\n%b\r\n%b\r\n" % (boundary, *each) for each in parts)
    return body + b"--%b--\r\n" % boundary


@pytest.mark.parametrize(
    ("body", "boundary"),
    [
        (form((PHOTO, encoded(".bmp", photograph()))), "boundary = x1"),
        (form((PHOTO, encoded(".bmp", photograph()))), 'charset=utf-8; BOUNDARY="x1"'),
        (form((PHOTO + b"Content-Transfer-Encoding: base64\r\n",
               base64.b64encode(encoded(".bmp", photograph())))), "boundary=x1"),
        # The name of a field is no file; what begins like a boundary in a file is none.
        (form((b'Content-Disposition: form-data; name="my filename="\r\n', b"text"),
              (PHOTO, encoded(".bmp", photograph()) + b"\r\n--x12\r\n")), "boundary=x1"),
        (form(*[(NOTE, b"n")] * 15, (PHOTO, encoded(".bmp", photograph()))), "boundary=x1"),
    ],
    ids=["spaces", "charset first", "base64", "looks like", "16 parts"],
)  # fmt: skip
def test_forms_as_programs_write_them(
    view: WebView, seen: Seen, body: bytes, boundary: str
) -> None:
    kind = f"multipart/form-data; {boundary}"
    answer = request(view, "/classify", method="POST", body=body, Content_Type=kind)
    assert answer.status == 200
    np.testing.assert_array_equal(seen.photographs[0], photograph()[..., ::-1])


@pytest.mark.parametrize(
    ("body", "boundary", "reason"),
    [
        (form(*[(NOTE, b"n")] * 17), "x1", "more than 16 parts"),
        (form((NOTE, b"n" * 19_000_000)), "x1", "no whole file"),
        (form(*[(NOTE, b"")] * 250_000), "x1", "more than 16 parts"),
        (form((PHOTO + b"X: " + b"y" * 10_000 + b"\r\n", b"")), "x1", "header size"),
        (form((PHOTO + b"X: y\r\n" * 10_000, b"")), "x1", "header count"),
        (form((PHOTO, b""), boundary=b"b" * 300), "b" * 300, "oundary length 300"),
        (form((PHOTO, encoded(".png", photograph())))[:-40], "x1", "no whole file"),
        (b"\r\n--x1" * 2_800_000, "x1", "header"),
        (form((PHOTO, b"")), "", "oundary"),
        (form((PHOTO, b"")), "x2", "oundary"),
    ],
    ids=["parts", "field", "empty parts", "header", "headers", "boundary", "cut", "boundaries",
         "no boundary", "another boundary"],
)  # fmt: skip
def test_forms_that_cannot_be_read_are_refused_and_not_logged(
    view: WebView, seen: Seen, capfd: pytest.CaptureFixture[str],
    body: bytes, boundary: str, reason: str,
) -> None:  # fmt: skip
    kind = f"multipart/form-data; boundary={boundary}" if boundary else "multipart/form-data"
    answer = request(view, "/classify", method="POST", body=body, Content_Type=kind)
    assert (answer.status, seen.photographs) == (400, [])
    assert reason in answer.json["error"]
    assert capfd.readouterr().err.count("\n") <= 1  # the address of the page


def test_a_photograph_is_turned_upright(view: WebView, seen: Seen) -> None:
    jpeg = encoded(".jpg", photograph())
    # An EXIF block with one entry: orientation 6, a quarter turn clockwise.
    tiff = b"MM\0*" + struct.pack(">IHHHIHHI", 8, 1, 0x0112, 3, 1, 6, 0, 0)
    exif = b"Exif\0\0" + tiff
    turned = jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + jpeg[2:]
    assert request(view, "/classify", method="POST", body=turned).status == 200
    [rgb] = seen.photographs
    assert rgb.shape == (40, 30, 3)
    assert rgb[20, 25, 0] > 240
    assert rgb[20, 5, 0] < 20


def bomb(width: int, height: int) -> bytes:
    """A PNG whose header promises more than anybody has memory for."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        ends = struct.pack(">I", len(data)), struct.pack(">I", zlib.crc32(kind + data))
        return ends[0] + kind + data + ends[1]

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(b"\0" * 1000)
    signature = b"\x89PNG\r\n\x1a\n"
    return signature + chunk(b"IHDR", head) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("body", "status", "reason"),
    [
        (b"", 400, "empty"),
        (b"no image", 415, "not an image"),
        (b"GIF89a" + bytes(100), 415, "not an image"),
        (bomb(20_000, 20_000), 413, "20000×20000 is more than 50 megapixels"),
        (encoded(".jpg", photograph())[:-40], 422, "cut short"),
        (bomb(100, 100)[:50] + b"IEND", 422, "decode"),
        (bytes(20_000_001), 413, "more than 20 MB"),
    ],
)
def test_what_is_no_photograph_is_refused(
    view: WebView, seen: Seen, body: bytes, status: int, reason: str
) -> None:
    answer = request(view, "/classify", method="POST", body=body)
    assert answer.status == status
    assert reason in answer.json["error"]
    assert seen.photographs == []
    good = request(view, "/classify", method="POST", body=encoded(".png", photograph()))
    assert good.status == 200


def test_a_body_without_length_is_limited_too(view: WebView, seen: Seen) -> None:
    chunks = (bytes(1_000_000) for _ in range(25))
    answer = request(view, "/classify", method="POST", body=chunks)
    assert answer.status == 413
    endless = itertools.repeat(bytes(1_000_000))
    with pytest.raises(OSError, match=r"reset|pipe"):
        request(view, "/classify", method="POST", body=endless)
    assert seen.photographs == []
    assert request(view, "/healthz").status == 503


def test_photographs_are_classified_one_at_a_time() -> None:
    turn, busy = threading.Semaphore(0), threading.Semaphore(1)

    class Slow(Seen):
        def __call__(self, rgb: RGBImage) -> Prediction:
            assert busy.acquire(blocking=False), "two at once"
            turn.acquire()
            busy.release()
            return super().__call__(rgb)

    png = encoded(".png", photograph())
    slow = Slow()
    with opened(slow) as view, ThreadPoolExecutor(5) as threads:
        asked = [
            threads.submit(request, view, "/classify", method="POST", body=png) for _ in range(5)
        ]
        refused = next(as_completed(asked, PATIENCE_S))  # the others wait for their turn
        assert refused.result().status == 503
        assert "too many" in refused.result().json["error"]
        turn.release(4)
        asked.remove(refused)
        assert [future.result(PATIENCE_S).status for future in asked] == [200] * 4
    assert len(slow.photographs) == 4


@pytest.mark.parametrize(
    ("suffix", "options"),
    [
        (".jpg", ()),
        (".jpg", (cv2.IMWRITE_JPEG_PROGRESSIVE, 1)),
        (".png", ()),
        (".bmp", ()),
        (".tiff", ()),
        (".webp", (cv2.IMWRITE_WEBP_QUALITY, 80)),
        (".webp", (cv2.IMWRITE_WEBP_QUALITY, 101)),
    ],
)
@pytest.mark.parametrize("shape", [(1, 1, 3), (300, 7, 3), (7, 300, 3), (48, 64, 4)])
def test_the_size_is_read_from_the_header(
    suffix: str, options: tuple[int, ...], shape: tuple[int, int, int]
) -> None:
    image = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    data = encoded(suffix, image, *options)
    assert image_size(data) == (shape[1], shape[0])
    for end in range(0, 12):
        assert image_size(data[:end]) is None


def test_sizes_that_no_encoder_here_writes() -> None:
    canvas = b"RIFF" + bytes(4) + b"WEBPVP8X" + bytes(8) + b"\x0f\x27\x00" + b"\x01\x00\x01"
    assert image_size(canvas) == (10_000, 65_538)
    os2 = b"BM" + bytes(12) + struct.pack("<IHH", 12, 640, 480)
    assert image_size(os2) == (640, 480)
    upside_down = b"BM" + bytes(12) + struct.pack("<Iii", 40, 640, -480)
    assert image_size(upside_down) == (640, 480)


def test_the_sizes_of_real_photographs(shared: Any) -> None:
    files = sorted((shared / "data").rglob("*.jpg"))[::97]
    assert len(files) > 20
    for path in files:
        image = cv2.imread(str(path), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
        assert image_size(path.read_bytes()) == (image.shape[1], image.shape[0])


# Who may ask.


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:8080", "127.0.0.1:1", "[::1]:80", "LocalHost:", "[::1]"]
)
def test_loopback_is_called_by_its_names(view: WebView, host: str) -> None:
    assert request(view, "/", Host=host).status == 200


@pytest.mark.parametrize(
    "host",
    [
        *("evil.example", "127.0.0.1.evil.example:80", "", "[", "192.0.2.1"),
        *("localhost:x", "localhost:-1", "localhost:999999", "localhost:80:80", "localhost:\xb2"),
        *("[::1]x", "[::1%eth0]:80", "evil@localhost:80", "localhost/x", "localhost#:80"),
    ],
)
def test_a_rebound_name_is_refused(view: WebView, host: str) -> None:
    for path in ("/", "/frame.jpg", "/state", "/healthz"):
        assert request(view, path, Host=host).status == 421


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Origin": "http://localhost:1", "Host": "localhost:1"}, 200),
        (
            {
                "Origin": "http://localhost:1",
                "Host": "localhost:1",
                "Sec_Fetch_Site": "same-origin",
            },
            200,
        ),
        ({"Origin": "http://localhost:2", "Host": "localhost:1"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec_Fetch_Site": "cross-site"}, 403),
        ({"Sec_Fetch_Site": "same-site"}, 403),
    ],
)
def test_only_our_page_may_post(
    view: WebView, seen: Seen, headers: dict[str, str], status: int
) -> None:
    png = encoded(".png", photograph())
    assert request(view, "/classify", method="POST", body=png, **headers).status == status
    assert len(seen.photographs) == (status == 200)


TOKEN = "correct-horse-battery"


@pytest.fixture
def guarded(seen: Seen) -> Iterator[WebView]:
    with opened(seen, token=TOKEN) as view:
        yield view


PATHS = ("/page.js", "/frame.jpg", "/stream", "/state", "/healthz", "/nowhere")


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("given", ["", "?token=", "?token=wrong", "?token=%C3%A4"])
def test_without_the_token_nothing_is_reported(guarded: WebView, path: str, given: str) -> None:
    answer = request(guarded, path + given)
    assert answer.status == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.json == {"error": "the token is missing or wrong"}


def test_without_the_token_nothing_is_classified(guarded: WebView, seen: Seen) -> None:
    png = encoded(".png", photograph())
    assert request(guarded, "/classify", method="POST", body=png).status == 401
    assert seen.photographs == []
    headers = {"Authorization": f"Bearer {TOKEN}"}
    assert request(guarded, "/classify", method="POST", body=png, **headers).status == 200


def test_the_door_asks_for_the_token(guarded: WebView) -> None:
    for path in ("/", "/?token=wrong", "/?token="):
        answer = request(guarded, path)
        assert answer.status == 401
        assert b'name="token"' in answer.body
        assert "set-cookie" not in answer.headers
    assert request(guarded, "/page.css").status == 200


def test_the_token_moves_from_the_address_to_a_cookie(guarded: WebView) -> None:
    answer = request(guarded, f"/?token={TOKEN}")
    assert (answer.status, answer.headers["location"]) == (303, "./")
    cookie, *attributes = answer.headers["set-cookie"].split("; ")
    assert {"httponly", "samesite=lax"} <= {attribute.lower() for attribute in attributes}
    assert request(guarded, "/", Cookie=cookie).status == 200
    assert request(guarded, "/healthz", Cookie=cookie).status == 503
    wrong = cookie[:-1] + "x"
    assert request(guarded, "/healthz", Cookie=wrong).status == 401


@pytest.mark.parametrize("scheme", ["Bearer", "bearer"])
def test_programs_bring_the_token_along(guarded: WebView, scheme: str) -> None:
    headers = {"Authorization": f"{scheme} {TOKEN}"}
    assert request(guarded, "/healthz", **headers).status == 503
    assert request(guarded, f"/healthz?token={TOKEN}").status == 503
    assert request(guarded, "/healthz", Authorization=f"Basic {TOKEN}").status == 401
    assert request(guarded, "/", Host="camera.example", **headers).status == 200


def test_beyond_loopback_a_token_is_made_up(seen: Seen, capsys: pytest.CaptureFixture[str]) -> None:
    with opened(seen, host="0.0.0.0") as view:
        captured = capsys.readouterr()
        assert captured.out == ""
        found = re.fullmatch(r"Live on http://([^/]+):(\d+)/\?token=(\S{22,})\n", captured.err)
        assert found is not None
        assert int(found[2]) == view.port
        assert request(view, "/healthz").status == 401
        assert request(view, f"/healthz?token={found[3]}").status == 503
        assert view.url == f"http://{found[1]}:{view.port}/"  # without the token


def test_a_page_for_this_machine_alone_has_no_address_for_others(view: WebView) -> None:
    assert view.url is None


def test_a_token_of_ones_own_is_not_printed(seen: Seen, capsys: pytest.CaptureFixture[str]) -> None:
    with opened(seen, host="0.0.0.0", token=TOKEN) as view:
        assert TOKEN not in capsys.readouterr().err
        assert request(view, f"/healthz?token={TOKEN}").status == 503


# The options.


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], None),
        (["--serve"], Address("127.0.0.1", 8080)),
        (["--serve", "9000"], Address("127.0.0.1", 9000)),
        (["--serve=:9000"], Address("127.0.0.1", 9000)),
        (["--serve=0.0.0.0:80"], Address("0.0.0.0", 80)),
        (["--serve=camera.local:80"], Address("camera.local", 80)),
        (["--serve=[::1]:80"], Address("::1", 80)),
    ],
)
def test_addresses(arguments: list[str], expected: Address | None) -> None:
    assert parsed(arguments)["serve"] == expected


@pytest.mark.parametrize(
    "value", ["int8.tflite", "0.0.0.0", "1:2:3", "99999", "[::1]", "x:y", "::1:80"]
)
def test_what_is_no_address(value: str) -> None:
    with pytest.raises(EdgeclfError, match="expected PORT or HOST:PORT") as error:
        parsed([f"--serve={value}"])
    assert str(error.value).startswith(f"--serve {value}: ")


def test_the_token_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert parsed([])["token"] is None
    monkeypatch.setenv("EDGECLF_TOKEN", TOKEN)
    assert parsed([])["token"] == TOKEN
    assert parsed(["--token", "another"])["token"] == "another"


def parsed(arguments: list[str]) -> dict[str, Any]:
    @click.command()
    @web_options
    def command(**values: Any) -> dict[str, Any]:
        return values

    result: dict[str, Any] = command.main(arguments, standalone_mode=False)
    return result


@pytest.mark.parametrize("token", ["", "short", "with space in it", "straße-straße"])
def test_weak_tokens_are_refused(seen: Seen, token: str) -> None:
    with pytest.raises(EdgeclfError, match="expected 12 or more"), opened(seen, token=token):
        pass


def test_a_port_that_is_taken(seen: Seen) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(EdgeclfError, match=f"127.0.0.1:{port}: cannot listen there"):
            open_web(
                Address("127.0.0.1", port),
                None,
                classify=seen,
                labels=LABELS,
                heatmap=False,
                input_hw=(32, 32),
                resize="stretch",
            )
    with pytest.raises(EdgeclfError, match="cannot listen there"), opened(seen, host="no.invalid"):
        pass


WITHOUT_EXTRA = """
import sys
from edgeclf.edge_runtime.live.web.options import Address, open_web
print([name for name in ("starlette", "uvicorn", "anyio") if name in sys.modules])
sys.modules["uvicorn"] = None
open_web(Address("127.0.0.1", 0), None, classify=None, labels=(), heatmap=False,
         input_hw=(1, 1), resize="stretch")
"""


def test_the_extra_is_named_when_it_is_missing(fresh_python: FreshPython) -> None:
    done = fresh_python(WITHOUT_EXTRA)
    assert done.stdout == "[]\n"
    assert done.stderr.splitlines()[-1].endswith("uvicorn: pip install 'edgeclf[web]'")
