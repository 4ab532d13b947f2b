"""The web view's server: its files, its health, and its end."""

import re
import threading

import pytest
from live_feed import health, observed
from schemas import valid
from web_client import PATIENCE_S, Seen, listening, opened, read_parts, request

from edgeclf.edge_runtime.live.observation import SourceState
from edgeclf.edge_runtime.live.web.view import WebView


@pytest.mark.parametrize(
    ("path", "media_type"),
    [
        ("/", "text/html; charset=utf-8"),
        ("/page.css", "text/css; charset=utf-8"),
        ("/page.js", "text/javascript; charset=utf-8"),
        ("/photographs.js", "text/javascript; charset=utf-8"),
        ("/teaching.js", "text/javascript; charset=utf-8"),
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
