"""What a live run tells systemd, over real datagram sockets."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest

from edgeclf.edge_runtime.errors import EdgeclfError
from edgeclf.edge_runtime.live.observation import (
    Decision,
    Event,
    LiveFrame,
    Observation,
    SourceCounts,
    SourceHealth,
    SourceState,
)
from edgeclf.edge_runtime.live.sinks.watchdog import Watchdog
from edgeclf.edge_runtime.prediction import Prediction


class Manager:
    """The service manager's end."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind("\0" + address[1:] if address.startswith("@") else address)
        self._socket.setblocking(False)

    def heard(self) -> list[list[str]]:
        messages = []
        while True:
            try:
                messages.append(self._socket.recv(4096).decode().split("\n"))
            except BlockingIOError:
                return messages

    def close(self) -> None:
        self._socket.close()


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Manager]:
    path = request.param == "path"
    manager = Manager(str(tmp_path / "notify") if path else f"@edgeclf-{uuid4()}")
    yield manager
    manager.close()


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def observation(number: int, *, age_ms: float = 40.0, label: str = "scratch") -> Observation:
    frame = LiveFrame(number, np.zeros((4, 4, 3), np.uint8), 1.0, 2.0)
    prediction = Prediction(label, 0.5, ((label, 0.5),), 9.0)
    return Observation(frame, prediction, Decision(label, 0.934, (0.934,)), age_ms, {})


def health(state: SourceState, reason: str = "") -> SourceHealth:
    return SourceHealth("0", state, 1.0, reason, 14.96, SourceCounts())


def test_ready_comes_with_the_first_fresh_frame_and_food_with_later_ones(manager: Manager) -> None:
    clock = Clock()
    environment = {"NOTIFY_SOCKET": manager.address, "WATCHDOG_USEC": "20000000"}
    watchdog = Watchdog.from_environment(environment, clock=clock)
    assert manager.heard() == []
    watchdog.report_health(health(SourceState.CONNECTING))
    watchdog.report_health(health(SourceState.LIVE))
    assert manager.heard() == [
        ["STATUS=15.0 frames/s, connecting"], ["STATUS=15.0 frames/s, live"]
    ]  # fmt: skip
    status = "STATUS=scratch 0.93, 15.0 frames/s, live"
    watchdog.observe(observation(0))
    assert manager.heard() == [["READY=1", "WATCHDOG=1", status]]
    for number in range(1, 10):
        clock.now += 1
        watchdog.observe(observation(number))
    assert manager.heard() == []
    clock.now += 1
    watchdog.observe(observation(10))
    assert manager.heard() == [["WATCHDOG=1", status]]
    watchdog.close()
    assert manager.heard() == [["STOPPING=1"]]


@pytest.mark.parametrize("stale", ["same frame", "old frame", "frozen picture", "dead camera"])
def test_nothing_stale_feeds_it(manager: Manager, stale: str) -> None:
    clock = Clock()
    watchdog = Watchdog(manager.address, timeout=20, clock=clock)
    watchdog.report_health(health(SourceState.LIVE))
    watchdog.observe(observation(7))
    state = {"frozen picture": SourceState.STALE, "dead camera": SourceState.DEAD}.get(stale)
    if state:
        watchdog.report_health(health(state, "no frame\nsince 09:00"))
        assert manager.heard()[-1] == [
            f"STATUS=scratch 0.93, 15.0 frames/s, {state.value}, no frame since 09:00"
        ]
    manager.heard()
    clock.now += 15
    number = 7 if stale == "same frame" else 8
    watchdog.observe(observation(number, age_ms=25_000 if stale == "old frame" else 40))
    assert manager.heard() == []
    watchdog.report_health(health(SourceState.LIVE))
    watchdog.observe(observation(9))
    assert manager.heard()[-1][0] == "WATCHDOG=1"
    watchdog.close()


def test_without_a_fresh_frame_it_is_never_ready(manager: Manager) -> None:
    watchdog = Watchdog(manager.address, timeout=20)
    watchdog.report_health(health(SourceState.RECONNECTING, "refused"))
    watchdog.observe(observation(0))
    watchdog.close()
    assert not [line for message in manager.heard() for line in message if line == "READY=1"]


def test_the_status_follows_the_label(manager: Manager) -> None:
    watchdog = Watchdog(manager.address)
    watchdog.report_event(Event("oil", "good", 0.8, 1.0, 3), observation(3, label="oil"))
    assert manager.heard() == [["STATUS=oil 0.80"]]
    watchdog.close()


@pytest.mark.parametrize(
    ("shown", "fed"),
    [
        ({"WATCHDOG_USEC": "20000000", "WATCHDOG_PID": str(os.getpid())}, True),
        ({"WATCHDOG_USEC": "20000000", "WATCHDOG_PID": "1"}, False),  # meant for another process
        ({"WATCHDOG_USEC": "0"}, False),
        ({"WATCHDOG_USEC": "soon"}, False),
        ({}, False),
    ],
)
def test_the_environment_decides(manager: Manager, shown: dict[str, str], fed: bool) -> None:
    watchdog = Watchdog.from_environment({"NOTIFY_SOCKET": manager.address} | shown)
    watchdog.observe(observation(0))
    [message] = manager.heard()
    assert message[:-1] == (["READY=1", "WATCHDOG=1"] if fed else ["READY=1"])
    watchdog.close()


def test_no_service_no_sink(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Watchdog.from_environment({}) is None
    assert Watchdog.from_environment({"NOTIFY_SOCKET": ""}) is None
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    assert Watchdog.from_environment() is None
    with pytest.raises(EdgeclfError, match=r"NOTIFY_SOCKET=vsock:2:1234: neither a path nor @"):
        Watchdog.from_environment({"NOTIFY_SOCKET": "vsock:2:1234"})


def test_a_manager_that_is_away_costs_nothing_and_is_reported_later(tmp_path: Path) -> None:
    path = tmp_path / "notify"
    watchdog = Watchdog(str(path), timeout=20)
    watchdog.observe(observation(0))
    manager = Manager(str(path))
    watchdog.observe(observation(1))
    assert manager.heard()[0][:2] == ["READY=1", "WATCHDOG=1"]
    manager.close()
    watchdog.observe(observation(2))
    watchdog.close()


def test_a_manager_that_does_not_read_never_holds_the_camera_up(tmp_path: Path) -> None:
    manager = Manager(str(tmp_path / "notify"))
    clock = Clock()
    watchdog = Watchdog(manager.address, timeout=20, clock=clock)
    for number in range(2000):  # more than any queue of datagrams holds
        clock.now += 10
        watchdog.observe(observation(number))
    taken = manager.heard()
    assert 0 < len(taken) < 2000
    watchdog.observe(observation(2000))
    assert manager.heard()[0][0] == "WATCHDOG=1"
    watchdog.close()
    manager.close()
