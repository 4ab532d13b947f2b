"""Photographs that are sent to the web view."""

import base64
import itertools
import struct
import threading
import zlib
from concurrent.futures import ThreadPoolExecutor, as_completed

import numpy as np
import pytest
from schemas import valid
from web_client import PATIENCE_S, Seen, decoded, encoded, opened, photograph, request

from edgeclf.edge_runtime.images import RGBImage
from edgeclf.edge_runtime.live.web.view import WebView
from edgeclf.edge_runtime.prediction import Prediction


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
