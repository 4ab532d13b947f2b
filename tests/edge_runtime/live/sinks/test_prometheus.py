"""Prometheus metrics, fetched over HTTP and read by Prometheus's own parser."""

import socket
import struct
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import replace
from typing import Any

import pytest
from live_news import EPOCH, LABELS, event, health, observation
from prometheus_client.parser import text_string_to_metric_families

from edgeclf.edge_runtime.errors import EdgeclfError
from edgeclf.edge_runtime.live.observation import SourceState
from edgeclf.edge_runtime.live.serving import wsgi
from edgeclf.edge_runtime.live.sinks.prometheus import Prometheus
from edgeclf.edge_runtime.live.sinks.queued import Outlet, QueuedSink

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


class Nowhere(Outlet[int]):
    name = 'a "sink"'

    def write(self, item: int) -> None:
        raise AssertionError(item)


@pytest.fixture
def queued() -> Iterator[QueuedSink[Any]]:
    queued: QueuedSink[Any] = QueuedSink(Nowhere(), bound=1, warn=print)
    yield queued
    queued.close(20)


@pytest.fixture
def prometheus(queued: QueuedSink[Any]) -> Iterator[Prometheus]:
    prometheus = Prometheus("127.0.0.1", 0, labels=LABELS, queued=[queued])
    yield prometheus
    prometheus.close()


def fetch(prometheus: Prometheus) -> Samples:
    url = f"http://127.0.0.1:{prometheus.port}/metrics"
    text = urllib.request.urlopen(url, timeout=20).read().decode()
    samples: Samples = {}
    for family in text_string_to_metric_families(text):
        assert family.documentation
        for sample in family.samples:
            key = (sample.name, tuple(sorted(sample.labels.items())))
            assert key not in samples
            samples[key] = sample.value
    return samples


def of(samples: Samples, name: str) -> dict[str, float]:
    """The values of a metric with one label, by that label."""
    return {labels[0][1]: value for (each, labels), value in samples.items() if each == name}


def test_what_is_counted(prometheus: Prometheus, queued: QueuedSink[Any]) -> None:
    for number in range(4):
        prometheus.observe(observation(number))
    prometheus.report_event(event(1), observation(1))
    prometheus.report_event(event(3), observation(3))
    prometheus.report_health(health(received=42))
    queued.dropped, queued.lost = 5, 2
    samples = fetch(prometheus)
    assert samples["edgeclf_frames_classified_total", ()] == 4
    assert samples["edgeclf_frame_age_seconds_count", ()] == 4
    assert samples["edgeclf_frame_age_seconds_sum", ()] == pytest.approx(4 * 0.0345)
    ages = {
        float(labels[0][1]): value
        for (name, labels), value in samples.items()
        if name == "edgeclf_frame_age_seconds_bucket"
    }
    assert ages[0.03] == 0
    assert ages[0.05] == ages[float("inf")] == 4
    assert of(samples, "edgeclf_step_seconds_sum") == pytest.approx(
        {"preprocess": 0.004, "invoke": 0.048, "postprocess": 0.0005}
    )
    assert of(samples, "edgeclf_events_total") == {"oil": 2}
    assert of(samples, "edgeclf_class_score") == pytest.approx(
        {"good": 0.1, "oil": 0.9, "scratch": 0}
    )
    assert of(samples, "edgeclf_label") == {"oil": 1}
    assert samples["edgeclf_source_received_total", ()] == 42
    assert samples["edgeclf_source_replaced_total", ()] == 3
    assert samples["edgeclf_source_fps", ()] == 9.5
    assert samples["edgeclf_last_frame_timestamp_seconds", ()] == pytest.approx(EPOCH + 0.3)
    assert of(samples, "edgeclf_sink_dropped_total") == {'a "sink"': 5}
    assert of(samples, "edgeclf_sink_lost_total") == {'a "sink"': 2}


@pytest.mark.parametrize("state", SourceState)
def test_a_camera_that_is_not_live_has_no_label(prometheus: Prometheus, state: SourceState) -> None:
    prometheus.observe(observation())
    prometheus.report_health(health(state))
    samples = fetch(prometheus)
    states = of(samples, "edgeclf_source_state")
    assert [name for name, value in states.items() if value] == [state.value]
    assert len(states) == len(SourceState)
    live = state is SourceState.LIVE
    assert bool(of(samples, "edgeclf_class_score")) == live
    assert bool(of(samples, "edgeclf_label")) == live


def test_the_score_of_a_class_that_is_taught(prometheus: Prometheus) -> None:
    seen = observation()
    decision = replace(seen.decision, scores=(*seen.decision.scores, 0.0), labels=(*LABELS, "dust"))
    prometheus.report_health(health())
    prometheus.observe(replace(seen, decision=decision))
    assert list(of(fetch(prometheus), "edgeclf_class_score")) == [*LABELS, "dust"]


def test_before_anything_is_seen(prometheus: Prometheus) -> None:
    assert fetch(prometheus)["edgeclf_frames_classified_total", ()] == 0


def test_it_listens_on_loopback_only_and_closes(queued: QueuedSink[Any]) -> None:
    before = set(threading.enumerate())
    prometheus = Prometheus("127.0.0.1", 0, labels=LABELS, queued=[queued])
    assert prometheus._server.server_address[0] == "127.0.0.1"
    assert prometheus.name == f"--prometheus 127.0.0.1:{prometheus.port}"
    prometheus.close()
    assert set(threading.enumerate()) <= before
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", prometheus.port), timeout=20)


STARTS = {
    "idle": b"",
    "head": b"GET /metrics HTTP/1.1\r\nX-Drip: ",
    "body": b"POST /metrics HTTP/1.1\r\nContent-Length: 100\r\n\r\n",
}


def connected(prometheus: Prometheus, sent: bytes) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", prometheus.port), timeout=60)
    connection.sendall(sent)
    return connection


@pytest.mark.parametrize("sent", STARTS.values(), ids=STARTS)
def test_open_connections_keep_nobody_out(prometheus: Prometheus, sent: bytes) -> None:
    before = threading.active_count()
    with ExitStack() as open_ones:
        for _ in range(150):
            open_ones.enter_context(connected(prometheus, sent))
        assert fetch(prometheus)["edgeclf_frames_classified_total", ()] == 0
        for _ in range(600):  # threads that were just woken end soon
            if threading.active_count() <= before + 32:
                break
            time.sleep(0.05)
        assert threading.active_count() <= before + 32


def test_what_drips_has_a_deadline(prometheus: Prometheus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wsgi, "DEADLINE_S", 0.2)
    with connected(prometheus, STARTS["head"]) as connection, suppress(OSError):
        for _ in range(600):
            connection.sendall(b"x")
            time.sleep(0.05)
        pytest.fail("the connection is still open")


HOSTILE = [
    b"GET /metrics HTTP/1.1\r\nAccept: application/openmetrics-text; version=a\r\n\r\n",
    b"GET /metrics HTTP/1.1\r\nAccept: text/plain; version=1.a\r\n\r\n",
    b"GET /metrics HTTP/1.1\r\nAccept: application/openmetrics-text;version=1..0\r\n\r\n",
    b"GET /metrics HTTP/1.1\r\nAccept: application/openmetrics-text;version=\xb2\r\n\r\n",
    b"GET /metrics?name[]=%ff&" + b"a&" * 2000 + b" HTTP/1.1\r\n\r\n",
    b"GET \xff HTTP/1.1\r\nContent-Length: -1\r\n: \r\n\r\n",
    b"\x16\x03\x01\x02\x00\r\n\r\n",
    b"G" * 70_000 + b"\r\n\r\n",
]


@pytest.mark.parametrize("sent", HOSTILE, ids=range(len(HOSTILE)))
def test_no_request_writes_a_log(
    prometheus: Prometheus, sent: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    for is_read in (True, False):
        with connected(prometheus, sent) as connection:
            if is_read:
                with suppress(ConnectionResetError):
                    while connection.recv(65536):
                        pass
            else:  # ends with RST
                linger = struct.pack("ii", 1, 0)
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        assert fetch(prometheus)["edgeclf_frames_classified_total", ()] == 0
    assert capfd.readouterr().err == ""


def test_prometheus_gets_the_format_that_it_accepts(prometheus: Prometheus) -> None:
    accept = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3"
    url = f"http://127.0.0.1:{prometheus.port}/metrics"
    asked = urllib.request.Request(url, headers={"Accept": accept})
    with urllib.request.urlopen(asked, timeout=60) as response:
        assert response.headers["Content-Type"].startswith("application/openmetrics-text")


def test_a_port_that_is_taken(prometheus: Prometheus) -> None:
    place = f"127.0.0.1:{prometheus.port}: cannot listen there"
    with pytest.raises(EdgeclfError, match=f"--prometheus {place}.*; give another HOST:PORT"):
        Prometheus("127.0.0.1", prometheus.port, labels=LABELS, queued=[])


def test_the_extra_is_named(fresh_python: Any) -> None:
    done = fresh_python("""
import sys
sys.modules["prometheus_client"] = None
from edgeclf.edge_runtime.errors import EdgeclfError
from edgeclf.edge_runtime.live.sinks.options import SinkOptions, open_sinks
try:
    open_sinks(SinkOptions(prometheus=("127.0.0.1", 0)), labels=("a",))
except EdgeclfError as error:
    print(error)
""")
    text = "--prometheus needs prometheus-client: pip install 'edgeclf[prometheus]'\n"
    assert done.stdout == text
    assert done.stderr == ""
