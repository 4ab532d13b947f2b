"""The web view under attack: who has no token neither gets in nor keeps others out."""

import logging
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass

import numpy as np
import pytest
from live_feed import LABELS, health, observed

from edgeclf.edge_runtime.images import RGBImage
from edgeclf.edge_runtime.live.observation import SourceState
from edgeclf.edge_runtime.live.serving import protocol
from edgeclf.edge_runtime.live.serving.connections import first_to_close, network_of
from edgeclf.edge_runtime.live.web.options import Address, open_web
from edgeclf.edge_runtime.live.web.view import WebView
from edgeclf.edge_runtime.prediction import Prediction

TOKEN = "a-token-of-this-test"
PATIENCE_S = 60


@dataclass
class Opened:
    network: str
    since: float


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


# Connections that only cost.

BEARER = f"Authorization: Bearer {TOKEN}"
STARTS = {
    "idle": b"",
    "head": b"GET /page.css HTTP/1.1\r\nHost: x\r\nX-Drip: ",
    "body": b"POST /classify HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n",
    "chunks": b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffff\r\n",
    "refused": b"GET /state HTTP/1.1\r\nHost: x\r\n\r\n",
    "unread": b"GET /page.css HTTP/1.1\r\nHost: x\r\n\r\n" * 200,
}


@pytest.mark.parametrize("sent", STARTS.values(), ids=STARTS)
def test_who_has_no_token_locks_nobody_out(guarded: WebView, sent: bytes) -> None:
    with ExitStack() as open_ones:
        for _ in range(250):
            open_ones.enter_context(connected(guarded, sent))
        for target, expected in [("/healthz", b'"live"'), ("/", b"<html"), ("/frame.jpg", b"JFIF")]:
            received = answer(guarded, target, "Host: x", BEARER)
            assert received.startswith(b"HTTP/1.1 200 ")
            assert expected in received


@pytest.mark.parametrize("sent", STARTS.values(), ids=STARTS)
def test_who_has_no_token_is_closed(
    guarded: WebView, sent: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "DEADLINE_S", 0.2)
    with connected(guarded, sent) as connection:
        reading = threading.Thread(target=read_all, args=[connection])
        reading.start()
        with suppress(OSError):  # the server has hung up
            while reading.is_alive():
                connection.sendall(b"x")
                time.sleep(0.02)
        reading.join(PATIENCE_S)
        assert not reading.is_alive()


def test_a_viewer_stays(guarded: WebView, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "DEADLINE_S", 1)
    asked = f"GET /state HTTP/1.1\r\nHost: x\r\n{BEARER}\r\n\r\n".encode()
    with connected(guarded, asked) as viewer, ExitStack() as open_ones:
        for _ in range(250):
            open_ones.enter_context(connected(guarded))
        states = 0
        while states < 4:  # one a second
            received = viewer.recv(65536)
            assert received
            states += received.count(b"event: state")


def test_of_admitted_requests_one_client_has_a_share(guarded: WebView) -> None:
    asked = f"GET /state HTTP/1.1\r\nHost: x\r\n{BEARER}\r\n\r\n".encode()
    with ExitStack() as open_ones:
        for _ in range(50):
            viewer = open_ones.enter_context(connected(guarded, asked))
            assert viewer.recv(12) == b"HTTP/1.1 200"
        assert answer(guarded, "/", "Host: x", BEARER).startswith(b"HTTP/1.1 503 ")
        other = answer(guarded, "/", "Host: x", BEARER, "X-Forwarded-For: 192.0.2.7")
        assert other.startswith(b"HTTP/1.1 200 ")
        assert answer(guarded, "/healthz", "Host: x", BEARER).startswith(b"HTTP/1.1 200 ")
    for _ in range(1000):  # until it is noticed that the viewers left
        received = answer(guarded, "/", "Host: x", BEARER)
        if received.startswith(b"HTTP/1.1 200 "):
            break
        time.sleep(0.05)
    assert received.startswith(b"HTTP/1.1 200 ")


def test_the_client_with_most_connections_loses_its_oldest() -> None:
    crowd = [Opened("192.0.2.1", 3.0), Opened("192.0.2.2", 1.0), Opened("192.0.2.1", 2.0)]
    assert first_to_close(crowd) == crowd[2]


@pytest.mark.parametrize(
    ("host", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8::1:2:3:4", "2001:db8::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        ("a proxy's word", "a proxy's word"),
    ],
)
def test_clients_are_told_apart_by_network(host: str, network: str) -> None:
    assert network_of(host) == network


NO_REQUESTS = [
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"GET / HTTP/9.9\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 70_000,
    b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
    b"GET /page.css HTTP/1.1\r\nHost: x\r\n\r\n\x00\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: x\r\nOrigin: http://[\r\nContent-Length: 1\r\n\r\nx",
    b"GET /?token=%ff%fe HTTP/1.1\r\nHost: \xff\r\nCookie: =;\xff=\xff\r\n\r\n",
    b"GET /%ff%00 HTTP/1.1\r\nHost: http://[\r\nAuthorization: Bearer \xff\r\n\r\n",
    b"HEAD / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n",
]


@pytest.mark.parametrize("sent", NO_REQUESTS)
def test_who_has_no_token_writes_no_log(
    guarded: WebView,
    sent: bytes,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(protocol, "DEADLINE_S", 1)
    for late in (b"", b"\x00ZZ\r\n\r\n"):  # at once, and behind the answer
        with connected(guarded, sent) as connection:
            if late:
                with suppress(OSError):
                    connection.recv(12)
                    connection.sendall(late)
            read_all(connection)
        assert answer(guarded, "/healthz", "Host: x", BEARER).startswith(b"HTTP/1.1 200 ")
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
    assert "Traceback" not in capfd.readouterr().err
