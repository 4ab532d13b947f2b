"""What a live run publishes to a real mosquitto on loopback."""

import json
import os
from typing import Any

import cv2
import numpy as np
from live_news import event, health, observation, wait_until
from mqtt_broker import Broker, Listener
from repository import REPOSITORY
from schemas import valid

from edgeclf.edge_runtime.live.observation import SourceState
from edgeclf.edge_runtime.live.sinks.mqtt.publisher import Mqtt
from edgeclf.edge_runtime.live.sinks.queued import QueuedSink


def test_what_a_broker_hears(
    listener: Listener, sink: QueuedSink[Any], warnings: list[str]
) -> None:
    sink.report_health(health(SourceState.CONNECTING))
    sink.report_health(health())
    sink.observe(observation(0))
    sink.observe(observation(1))  # within the same second
    sink.observe(observation(2, label="scratch"))
    sink.report_event(event(2, label="scratch"), observation(2, label="scratch"))
    sink.observe(observation(13, label="scratch"))
    wait_until(lambda: len(listener.of("hall/camera/state")) == 3)
    sink.close(20)
    wait_until(lambda: listener.words("hall/camera/availability")[-1:] == ["offline"])

    [answer] = [valid("device/mqtt-event", each) for each in listener.of("hall/camera/event")]
    assert (answer["event_type"], answer["label"], answer["previous"]) == (
        "scratch",
        "scratch",
        "good",
    )
    assert (answer["number"], answer["time"]) == (1, "2025-11-25T09:15:00.323Z")
    states = [valid("device/mqtt-state", each) for each in listener.of("hall/camera/state")]
    assert [(state["frame"], state["label"]) for state in states] == [
        (0, "oil"), (2, "scratch"), (13, "scratch"),
    ]  # fmt: skip
    cameras = [valid("device/mqtt-source", each) for each in listener.of("hall/camera/source")]
    assert cameras[-1]["state"] == "live"
    assert listener.words("hall/camera/availability")[-2:] == ["online", "offline"]
    assert warnings == []


def test_the_picture_of_the_newest_event_is_kept(
    broker: Broker, listener: Listener, mqtt: Mqtt, sink: QueuedSink[Any]
) -> None:
    sink.report_event(event(1), observation(1, size_wh=(1600, 800)))
    wait_until(lambda: "hall/camera/image" in {each.topic for each in listener.messages})
    sink.report_event(event(2, label="scratch"), observation(2))
    wait_until(lambda: mqtt.counts.acknowledged == 2)
    sizes = []
    wait_until(lambda: sum(each.topic == "hall/camera/image" for each in listener.messages) == 2)
    for message in listener.messages:
        if message.topic == "hall/camera/image":
            sizes.append(cv2.imdecode(np.frombuffer(message.payload, np.uint8), 1).shape)
    assert sizes == [(640, 1280, 3), (64, 96, 3)]
    late = Listener(broker.port, "hall/camera/image")
    wait_until(lambda: len(late.messages) == 1)
    late.close()
    assert late.messages[0].retain


def test_it_is_offline_while_the_camera_is_not_live(
    listener: Listener, sink: QueuedSink[Any]
) -> None:
    states = ["live", "live", "stale", "reconnecting", "live", "dead", "live"]
    wait_until(lambda: listener.words("hall/camera/availability") == ["offline"])
    for number, state in enumerate(states):
        sink.report_health(health(SourceState(state), received=number))
    words = ["offline", "online", "offline", "online", "offline", "online"]
    wait_until(lambda: len(listener.of("hall/camera/source")) == len(states))
    wait_until(lambda: listener.words("hall/camera/availability") == words)


def test_what_is_retained_is_the_newest(
    broker: Broker, listener: Listener, sink: QueuedSink[Any]
) -> None:
    sink.report_health(health())
    sink.observe(observation(0))
    sink.observe(observation(10, label="scratch"))
    wait_until(lambda: len(listener.of("hall/camera/state")) == 2)
    listener.close()
    late = Listener(broker.port, "hall/camera/+")
    wait_until(lambda: len(late.messages) >= 3)
    retained = {each.topic: each for each in late.messages if each.retain}
    late.close()
    state = valid("device/mqtt-state", json.loads(retained["hall/camera/state"].payload))
    assert state["label"] == "scratch"
    valid("device/mqtt-source", json.loads(retained["hall/camera/source"].payload))
    assert retained["hall/camera/availability"].payload == b"online"
    assert "hall/camera/event" not in retained


def test_the_will_says_offline(broker: Broker, listener: Listener, fresh_python: Any) -> None:
    """A process that is killed leaves no time to say it."""
    code = f"""
import os, sys, time
sys.path.insert(0, {os.fspath(REPOSITORY / "tests/support")!r})
from live_news import LABELS, health
from edgeclf.edge_runtime.live.sinks.mqtt.publisher import Mqtt
from edgeclf.edge_runtime.live.sinks.mqtt.address import MqttAddress
mqtt = Mqtt(MqttAddress.parse("mqtt://127.0.0.1:{broker.port}/a", {{}}), labels=LABELS, warn=print)
mqtt.write(mqtt.pick_health(health()))
while not mqtt._connected:
    time.sleep(0.01)
time.sleep(0.5)
os.kill(os.getpid(), 9)
"""
    assert fresh_python(code).returncode == -9
    # Before the source is live it may have said that it is not.
    wait_until(lambda: listener.words("a/availability")[-2:] == ["online", "offline"])


def test_the_extra_is_named(fresh_python: Any) -> None:
    done = fresh_python("""
import sys
sys.modules["paho"] = None
from edgeclf.edge_runtime.errors import EdgeclfError
from edgeclf.edge_runtime.live.sinks.options import SinkOptions, open_sinks
try:
    open_sinks(SinkOptions(mqtt="mqtt://broker"), labels=("a",))
except EdgeclfError as error:
    print(error)
""")
    assert done.stdout == "--mqtt needs paho-mqtt: pip install 'edgeclf[mqtt]'\n"
    assert done.stderr == ""
