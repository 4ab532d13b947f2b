"""A broker of its own for each test, and a sink that publishes there."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from live_news import LABELS, wait_until
from mqtt_broker import DEVICE, Broker, Listener, address_of
from skips import require_program

from edgeclf.edge_runtime.live.sinks.mqtt.publisher import Mqtt
from edgeclf.edge_runtime.live.sinks.queued import QueuedSink


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    require_program("mosquitto")
    broker = Broker(tmp_path)
    yield broker
    broker.stop()


@pytest.fixture
def listener(broker: Broker) -> Iterator[Listener]:
    listener = Listener(broker.port, "#")
    yield listener
    listener.close()


@pytest.fixture
def mqtt(broker: Broker, warnings: list[str]) -> Iterator[Mqtt]:
    mqtt = Mqtt(address_of(broker), labels=LABELS, device=DEVICE, warn=warnings.append)
    wait_until(lambda: mqtt._connected)
    yield mqtt
    mqtt.close()


@pytest.fixture
def sink(mqtt: Mqtt, warnings: list[str]) -> Iterator[QueuedSink[Any]]:
    sink = QueuedSink(mqtt, bound=5000, warn=warnings.append)
    yield sink
    sink.close(20)
