"""The web view under attack: who has no token neither gets in nor keeps others out."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from live_feed import LABELS, health, observed

from edgeclf.edge_runtime.images import RGBImage
from edgeclf.edge_runtime.live.observation import SourceState
from edgeclf.edge_runtime.live.web.options import Address, open_web
from edgeclf.edge_runtime.live.web.view import WebView
from edgeclf.edge_runtime.prediction import Prediction

TOKEN = "a-token-of-this-test"
PATIENCE_S = 60


def classify(rgb: RGBImage) -> Prediction:
    heatmap = np.eye(2, dtype=np.float32)
    return Prediction("oil", rgb.mean() / 255, (("oil", 1.0), ("good", 0.0)), 5.0, heatmap)


@contextmanager
def opened(token: str | None) -> Iterator[WebView]:
    view = open_web(
        Address("127.0.0.1", 0),
        token,
        classify=classify,
        labels=LABELS,
        heatmap=False,
        input_hw=(32, 32),
        resize="stretch",
    )
    try:
        view.report_health(health(SourceState.LIVE))
        view.observe(observed())
        yield view
    finally:
        view.close()


@pytest.fixture
def guarded() -> Iterator[WebView]:
    with opened(TOKEN) as view:
        yield view


def connected(view: WebView, sent: bytes = b"") -> socket.socket:
    """Return a connection to the page on which `sent` has been sent."""
    connection = socket.create_connection(("127.0.0.1", view.port), timeout=PATIENCE_S)
    connection.sendall(sent)
    return connection


def read_all(connection: socket.socket) -> bytes:
    """Return what comes until the server closes the connection."""
    received = bytearray()
    try:
        while chunk := connection.recv(65536):
            received += chunk
    except ConnectionResetError:
        pass
    return bytes(received)


def answer(view: WebView, target: str, *headers: str) -> bytes:
    """Return the whole answer to a GET of `target`, as bytes with its head."""
    head = "".join(f"{line}\r\n" for line in (f"GET {target} HTTP/1.1", *headers))
    with connected(view, f"{head}Connection: close\r\n\r\n".encode()) as connection:
        return read_all(connection)


@pytest.mark.parametrize("path", ["/state", "/frame.jpg", "/stream", "/healthz", "/"])
@pytest.mark.parametrize(
    "host",
    ["x/page.css?a=", "x/icon.svg#", "x/page.css?", "127.0.0.1/page.css?token=", "x\\page.css#"],
)
def test_the_host_header_opens_nothing(guarded: WebView, path: str, host: str) -> None:
    assert answer(guarded, path, f"Host: {host}").startswith(b"HTTP/1.1 401 ")


@pytest.mark.parametrize(
    "target",
    [
        "/page.css/../state",
        "/page.css%2f../healthz",
        "//page.css/healthz",
        "/healthz?x=/page.css",
        "/healthz;/page.css",
        "http://x/page.css?/healthz",
        "*",
    ],
)
def test_no_spelling_of_a_path_opens_anything(guarded: WebView, target: str) -> None:
    assert answer(guarded, target, "Host: x").startswith(b"HTTP/1.1 401 ")


def test_an_origin_that_is_none_is_refused(guarded: WebView) -> None:
    head = b"POST /classify HTTP/1.1\r\nHost: x\r\nOrigin: http://[\r\nContent-Length: 0\r\n"
    with connected(guarded, head + b"Connection: close\r\n\r\n") as connection:
        assert read_all(connection).startswith(b"HTTP/1.1 403 ")
