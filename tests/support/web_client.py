"""What tests of the web view share: a server of its own, and who asks it."""

import itertools
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPResponse
from typing import Any

import cv2
import numpy as np
from live_feed import LABELS
from numpy.typing import NDArray

from edgeclf.edge_runtime.images import RGBImage
from edgeclf.edge_runtime.live.web.options import Address, open_web
from edgeclf.edge_runtime.live.web.view import WebView
from edgeclf.edge_runtime.prediction import Prediction

PATIENCE_S = 60


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


def photograph(height: int = 30, width: int = 40) -> NDArray[np.uint8]:
    image = np.zeros((height, width, 3), np.uint8)
    image[: height // 2] = (0, 0, 255)  # red above, as BGR
    return image


TOKEN = "correct-horse-battery"
