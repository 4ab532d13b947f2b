"""Sinks on their own threads: slow, dead and failing ones."""

import errno
import os
import sys
import threading
from typing import Any

import cv2
import pytest
from live_news import EPOCH, event, health, observation, wait_until
from skips import require_linux

from edgeclf.edge_runtime.errors import EdgeclfError
from edgeclf.edge_runtime.live.observation import Event, Observation, SourceHealth, SourceState
from edgeclf.edge_runtime.live.sinks.queued import Outlet, QueuedSink, close_sinks


class Gate(Outlet[str]):
    """Writes only while its gate is open, and fails with `error` if there is one."""

    name = "gate"

    def __init__(self) -> None:
        self.open = threading.Event()
        self.entered = threading.Event()
        self.error: Exception | None = None
        self.error_at_close: Exception | None = None
        self.written: list[str] = []
        self.threads: set[str] = set()
        self.priorities: set[int] = set()
        self.closed = False

    def pick(self, observation: Observation) -> str | None:
        number = observation.frame.number
        return None if number < 0 else f"frame {number}"

    def pick_event(self, event: Event, observation: Observation) -> str:  # noqa: ARG002
        return f"event {event.frame}"

    def pick_health(self, health: SourceHealth) -> str:
        return health.state.value

    def write(self, item: str) -> None:
        self.entered.set()
        self.open.wait()
        self.threads.add(threading.current_thread().name)
        if sys.platform == "linux":
            self.priorities.add(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
        if self.error is not None:
            raise self.error
        self.written.append(item)

    def close(self) -> None:
        self.closed = True
        if self.error_at_close is not None:
            raise self.error_at_close


@pytest.fixture
def gate() -> Any:
    gate = Gate()
    yield gate
    gate.open.set()


def fill(sink: QueuedSink[str], gate: Gate, count: int) -> None:
    """Hand in frames; the first is in the sink's hands, the others wait."""
    sink.observe(observation(0))
    gate.entered.wait(20)
    for number in range(1, count):
        sink.observe(observation(number))


def test_everything_is_written_in_order_on_another_thread(gate: Gate, warnings: list[str]) -> None:
    gate.open.set()
    sink = QueuedSink(gate, bound=9, warn=warnings.append)
    sink.report_health(health(SourceState.CONNECTING))
    sink.observe(observation(1))
    sink.observe(observation(-1))
    sink.report_event(event(1), observation(1))
    sink.close(20)
    assert gate.written == ["connecting", "frame 1", "event 1"]
    assert gate.threads == {"sink gate"}
    assert gate.closed
    assert warnings == []
    sink.observe(observation(2))
    assert len(gate.written) == 3


def test_a_sink_steps_back_behind_the_camera(gate: Gate, warnings: list[str]) -> None:
    require_linux()  # elsewhere a thread has no priority of its own
    ours = os.getpriority(os.PRIO_PROCESS, 0)
    gate.open.set()
    sink = QueuedSink(gate, bound=9, warn=warnings.append)
    sink.observe(observation(1))
    sink.close(20)
    assert gate.priorities == {min(ours + 5, 19)}
    assert os.getpriority(os.PRIO_PROCESS, 0) == ours


def test_a_sink_that_hangs_stops_nobody_and_is_reported(gate: Gate, warnings: list[str]) -> None:
    now = [0.0]
    sink = QueuedSink(gate, bound=4, warn=warnings.append, clock=lambda: now[0])
    fill(sink, gate, 10)
    assert sink.dropped == 5
    assert warnings == ["gate: too slow: 1 dropped, 1 in all"]
    now[0] = 61.0
    sink.observe(observation(10))
    assert warnings[1:] == ["gate: too slow: 5 dropped, 6 in all"]
    gate.open.set()
    sink.close(20)
    assert gate.written == ["frame 0", "frame 7", "frame 8", "frame 9", "frame 10"]
    assert len(gate.written) + sink.dropped == 11


def test_events_stay_when_frames_must_go(gate: Gate, warnings: list[str]) -> None:
    sink = QueuedSink(gate, bound=3, warn=warnings.append)
    fill(sink, gate, 2)
    for number in (2, 3, 4):
        sink.report_event(event(number), observation(number))
    sink.observe(observation(5))
    gate_was_full = sink.dropped
    sink.report_event(event(6), observation(6))
    gate.open.set()
    sink.close(20)
    assert gate.written == ["frame 0", "event 3", "event 4", "event 6"]
    assert gate_was_full == 2
    assert sink.dropped == 3
    assert warnings[-1] == "gate: too slow: 2 dropped, 3 in all"


def test_closing_a_sink_that_hangs_gives_up(gate: Gate, warnings: list[str]) -> None:
    sink = QueuedSink(gate, bound=9, warn=warnings.append)
    fill(sink, gate, 4)
    sink.close(0.05)
    assert not gate.closed
    assert sink.lost == 3
    assert warnings == [
        "gate: not done within 0.05 s, and left behind",
        "gate: 3 lost, 3 in all",
    ]


def test_sinks_that_hang_are_closed_side_by_side(warnings: list[str]) -> None:
    gates = [Gate() for _ in range(8)]
    sinks = [QueuedSink(gate, bound=9, warn=warnings.append) for gate in gates]
    for sink in sinks:
        sink.observe(observation())
    closed = threading.Thread(target=close_sinks, args=(sinks,), kwargs={"within_s": 0.2})
    closed.start()
    closed.join(5)  # one after the other, they would take 8 s
    assert not closed.is_alive()
    for gate in gates:
        gate.open.set()


def test_a_failure_is_reported_once_and_so_is_its_end(gate: Gate, warnings: list[str]) -> None:
    gate.open.set()
    sink = QueuedSink(gate, bound=99, warn=warnings.append)
    gate.error = OSError(errno.ENOSPC, "No space left on device")
    for number in range(5):
        sink.observe(observation(number))
    wait_until(lambda: sink.lost == 5)
    gate.error = None
    sink.observe(observation(5))
    wait_until(lambda: len(warnings) == 2)
    gate.error = OSError(errno.EIO, "Input/output error")
    sink.observe(observation(6))
    sink.close(20)
    assert gate.written == ["frame 5"]
    assert warnings == [
        "gate: No space left on device; goes on when it can, what comes until then is lost",
        "gate: writes again; 5 lost meanwhile",
        "gate: 1 lost, 6 in all",
    ]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OSError(errno.EIO, "Input/output error"), "Input/output error"),
        (UnicodeEncodeError("utf-8", "M\udcfcller", 1, 2, "no surrogates"),
         "a bug (UnicodeEncodeError in test_queued.py, line "),
        (cv2.error("no codec for S3CRET"), "a bug (error in test_queued.py, line "),
        (MemoryError(), "a bug (MemoryError in test_queued.py, line "),
        (EdgeclfError("one line"), "one line"),
    ],
)  # fmt: skip
def test_a_sinks_thread_survives_any_exception_and_reports_it(
    gate: Gate, warnings: list[str], error: Exception, reason: str
) -> None:
    gate.open.set()
    gate.error = gate.error_at_close = error
    sink = QueuedSink(gate, bound=9, warn=warnings.append)
    sink.observe(observation(0))
    wait_until(lambda: (sink.lost, len(warnings)) == (1, 1))
    assert warnings[0].startswith(f"gate: {reason}")
    gate.error = None
    sink.observe(observation(1))
    sink.close(20)
    assert gate.written == ["frame 1"]
    assert (sink.written, sink.lost) == (1, 1)
    assert warnings[1:] == ["gate: writes again; 1 lost meanwhile", warnings[-1]]
    assert warnings[-1].startswith(f"gate: {reason}")
    assert warnings[-1].endswith("at its end")
    assert "S3CRET" not in "".join(warnings)


def test_the_moments_are_those_of_the_epoch() -> None:
    assert observation(0).frame.taken_at == EPOCH
