"""MQTT against a real mosquitto on loopback, which is stopped and started again in the middle."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from live_news import LABELS, event, health, observation, wait_until
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion
from repository import REPOSITORY
from schemas import valid
from skips import require_program

from edgeclf.edge_runtime.errors import EdgeclfError
from edgeclf.edge_runtime.live.observation import SourceState
from edgeclf.edge_runtime.live.sinks.mqtt.address import MqttAddress
from edgeclf.edge_runtime.live.sinks.mqtt.home_assistant import Device, discovery_messages
from edgeclf.edge_runtime.live.sinks.mqtt.publisher import Mqtt
from edgeclf.edge_runtime.live.sinks.queued import QueuedSink

DEVICE = Device("densenet121, int8", "0.1.0", "http://192.0.2.7:8080/")


class Broker:
    """A mosquitto of our own, which keeps what its clients have not fetched over a restart."""

    def __init__(self, folder: Path, *more: str) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self._settings = folder / "mosquitto.conf"
        self._log = folder / "mosquitto.log"
        anonymous = [] if more else ["allow_anonymous true"]
        lines = [
            f"listener {self.port} 127.0.0.1", "persistence true",
            f"persistence_location {folder}/", "user root", *anonymous, *more,
        ]  # fmt: skip
        self._settings.write_text("\n".join(lines) + "\n")
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        command = ["mosquitto", "-c", str(self._settings)]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)

        def answers() -> bool:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
                return True
            return False

        wait_until(answers)

    def stop(self, with_signal: int = signal.SIGTERM) -> None:
        if self._process is not None:
            self._process.send_signal(with_signal)
            self._process.wait(20)
            self._process = None

    def send(self, number: int) -> None:
        assert self._process is not None
        self._process.send_signal(number)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    require_program("mosquitto")
    broker = Broker(tmp_path)
    yield broker
    broker.stop()


class Listener:
    """A subscriber with a session of its own that the broker keeps."""

    def __init__(self, port: int, topics: str, **user: str) -> None:
        self.messages: list[MQTTMessage] = []
        self._topics, self.ready = topics, False
        self._client = Client(
            CallbackAPIVersion.VERSION2, client_id="listener", clean_session=False
        )
        if user:
            self._client.username_pw_set(**user)
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = lambda client, *_: client.subscribe(topics, qos=1)
        self._client.on_subscribe = lambda *_: setattr(self, "ready", True)
        self._client.on_message = lambda _client, _data, message: self.messages.append(message)
        self._client.connect_async("127.0.0.1", port, keepalive=10)
        self._client.loop_start()
        wait_until(lambda: self.ready)

    def of(self, topic: str) -> list[Any]:
        found = [each for each in self.messages if each.topic == topic]
        return [json.loads(each.payload) for each in found]

    def words(self, topic: str) -> list[str]:
        return [each.payload.decode() for each in self.messages if each.topic == topic]

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@pytest.fixture
def listener(broker: Broker) -> Iterator[Listener]:
    listener = Listener(broker.port, "#")
    yield listener
    listener.close()


@pytest.fixture
def warnings() -> list[str]:
    return []


def address_of(broker: Broker, user: str = "") -> MqttAddress:
    return MqttAddress.parse(f"mqtt://{user}127.0.0.1:{broker.port}/hall/camera", {})


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


def test_home_assistant_finds_it(listener: Listener, sink: QueuedSink[Any]) -> None:
    sink.report_health(health())
    topics = discovery_messages("hall/camera", LABELS, DEVICE)
    wait_until(lambda: set(topics) <= {message.topic for message in listener.messages})
    for topic, expected in topics.items():
        assert listener.of(topic)[0] == expected
    label = topics["homeassistant/sensor/hall_camera/label/config"]
    assert label["options"] == [*LABELS, "unknown"]
    assert label["availability_topic"] == "hall/camera/availability"
    assert len({message["unique_id"] for message in topics.values()}) == len(topics)
    for message in topics.values():
        assert message["device"] == {
            "identifiers": ["edgeclf_hall_camera"], "name": "hall/camera",
            "manufacturer": "edgeclf", "model": "densenet121, int8", "sw_version": "0.1.0",
            "configuration_url": "http://192.0.2.7:8080/",
        }  # fmt: skip
    picture = topics["homeassistant/image/hall_camera/picture/config"]
    assert (picture["image_topic"], picture["content_type"]) == ("hall/camera/image", "image/jpeg")


def test_no_attribute_changes_with_every_frame() -> None:
    """Home Assistant's recorder keeps each change of an attribute for ten days."""
    for message in discovery_messages("a", LABELS).values():
        topic = message.get("json_attributes_topic")
        assert topic in (None, "a/event", "a/source")
        if topic == "a/source":  # comes every five seconds, with counts and times
            named = re.findall(r"value_json\.(\w+)", message["json_attributes_template"])
            assert named == ["source", "reason"]


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


def test_nothing_is_lost_over_a_restart_of_the_broker(
    broker: Broker, listener: Listener, mqtt: Mqtt, sink: QueuedSink[Any], warnings: list[str]
) -> None:
    sink.report_health(health())
    for number in range(200):
        sink.report_event(event(number), observation(number))
    broker.stop()  # in the midst of them
    for number in range(200, 400):
        sink.report_event(event(number), observation(number))
    sink.observe(observation(400, label="good"))
    sink.report_health(health(SourceState.DEAD))
    sink.observe(observation(420, label="scratch"))
    sink.report_health(health())
    wait_until(lambda: mqtt.counts.published == 400)
    wait_until(lambda: len(warnings) >= 2)
    broker.start()
    for number in range(400, 600):
        sink.report_event(event(number), observation(number))
    wait_until(lambda: mqtt.counts.acknowledged == 600, within_s=60)
    assert mqtt.counts.lost == mqtt.counts.waiting == 0
    wait_until(lambda: len({each["number"] for each in listener.of("hall/camera/event")}) == 600)
    first_seen = list(dict.fromkeys(each["number"] for each in listener.of("hall/camera/event")))
    assert sorted(first_seen) == list(range(1, 601))

    wait_until(lambda: listener.of("hall/camera/state")[-1:] != [])
    wait_until(lambda: listener.of("hall/camera/state")[-1]["label"] == "scratch")
    assert listener.words("hall/camera/availability")[-1] == "online"
    assert "has gone; tries again, up to 1000 events wait" in warnings[0]
    assert "cannot be reached (Connection refused)" in warnings[1]
    assert "connected" in warnings[-1]
    assert len(warnings) == 3


def test_what_is_too_much_is_counted_and_reported(broker: Broker, warnings: list[str]) -> None:
    broker.stop()
    mqtt = Mqtt(address_of(broker), labels=LABELS, warn=warnings.append, bound=50)
    sink = QueuedSink(mqtt, bound=999, warn=warnings.append)
    for number in range(80):
        sink.report_event(event(number), observation(number))
    wait_until(lambda: mqtt.counts.published == 80)
    wait_until(lambda: len(warnings) == 2)
    assert mqtt.counts.lost == 30
    broker.start()
    listener = Listener(broker.port, "#")
    wait_until(lambda: mqtt.counts.acknowledged == 50, within_s=60)
    sink.close(20)
    listener.close()
    assert mqtt.counts.lost == 30
    assert any("50 events wait; further ones are lost" in text for text in warnings)
    assert "connected; " in warnings[-1]
    assert "30 lost" in warnings[-1]


def test_what_was_not_delivered_at_the_end_is_reported(broker: Broker, warnings: list[str]) -> None:
    broker.stop()
    mqtt = Mqtt(address_of(broker), labels=LABELS, warn=warnings.append)
    sink = QueuedSink(mqtt, bound=999, warn=warnings.append)
    for number in range(3):
        sink.report_event(event(number), observation(number))
    sink.close(20)
    assert warnings[-1].endswith("3 events were not delivered and are lost")
    assert mqtt.counts.lost == 3


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
    wait_until(lambda: listener.words("a/availability") == ["online", "offline"])


def test_a_broker_that_hangs_stops_nobody(
    broker: Broker, listener: Listener, mqtt: Mqtt, warnings: list[str]
) -> None:
    sink = QueuedSink(mqtt, bound=999, warn=warnings.append)
    sink.report_health(health())
    wait_until(lambda: "online" in listener.words("hall/camera/availability"))
    broker.send(signal.SIGSTOP)
    try:
        for number in range(20):
            sink.report_event(event(number), observation(number))
        wait_until(lambda: mqtt.counts.published == 20)
        sink.close(20)
        assert mqtt.counts.lost == 20
        assert warnings[-1].endswith("20 events were not delivered and are lost")
    finally:
        broker.send(signal.SIGCONT)


def test_a_password_opens_and_is_never_shown(tmp_path: Path, warnings: list[str]) -> None:
    require_program("mosquitto")
    passwords = tmp_path / "passwords"
    secret = "s3cr@t/:word"
    command = ["mosquitto_passwd", "-b", "-c", str(passwords), "anna", secret]
    subprocess.run(command, check=True, capture_output=True)
    broker = Broker(tmp_path, f"password_file {passwords}", "allow_anonymous false")
    try:
        wrong = Mqtt(address_of(broker, "anna:wr0ng@"), labels=LABELS, warn=warnings.append)
        wait_until(lambda: len(warnings) >= 1)
        wrong.close()
        assert "refuses the connection: Not authorized" in warnings[0]
        warnings.clear()
        url = f"mqtt://anna@127.0.0.1:{broker.port}"
        address = MqttAddress.parse(url, {"EDGECLF_MQTT_PASSWORD": secret})
        right = Mqtt(address, labels=LABELS, warn=warnings.append)
        right.write(right.pick_event(event(), observation()))
        wait_until(lambda: right.counts.acknowledged == 1)
        broker.stop()
        wait_until(lambda: len(warnings) >= 1)
        right.close()
        shown = " ".join([*warnings, repr(address), str(address), right.name])
        assert "s3cr" not in shown
        assert "anna" not in str(address)
    finally:
        broker.stop()


def test_an_encrypted_broker_is_checked(
    tmp_path: Path, warnings: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    require_program("mosquitto")
    require_program("openssl")
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    command = [
        "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
        "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1",
        "-keyout", str(key), "-out", str(certificate),
    ]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True)
    more = [f"certfile {certificate}", f"keyfile {key}", "allow_anonymous true"]
    broker = Broker(tmp_path, *more)
    address = MqttAddress.parse(f"mqtts://127.0.0.1:{broker.port}", {})
    try:
        stranger = Mqtt(address, labels=LABELS, warn=warnings.append)
        wait_until(lambda: len(warnings) >= 1)
        stranger.close()
        assert "cannot be reached" in warnings[0]
        assert "certificate verify failed" in warnings[0]
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        known = Mqtt(address, labels=LABELS, warn=warnings.append)
        known.write(known.pick_event(event(), observation()))
        wait_until(lambda: known.counts.acknowledged == 1)
        known.close()
    finally:
        broker.stop()


@pytest.mark.parametrize(
    ("url", "shown", "user", "password"),
    [
        ("mqtt://broker", "mqtt://broker:1883/edgeclf", None, None),
        ("mqtts://broker/hall/cam/", "mqtts://broker:8883/hall/cam", None, None),
        ("mqtt://anna:p%40ss@10.0.0.7:99/x", "mqtt://10.0.0.7:99/x", "anna", "p@ss"),
        ("mqtt://anna@[::1]:99/x", "mqtt://[::1]:99/x", "anna", "outer"),
    ],
)
def test_addresses(
    tmp_path: Path, url: str, shown: str, user: str | None, password: str | None
) -> None:
    address = MqttAddress.parse(url, {"EDGECLF_MQTT_PASSWORD": "outer"})
    assert (str(address), address.user, address.password) == (shown, user, password)
    (tmp_path / "EDGECLF_MQTT_PASSWORD").write_text("outer\n")
    assert MqttAddress.parse(url, {"CREDENTIALS_DIRECTORY": str(tmp_path)}) == address
    without = MqttAddress.parse(address.url_without_password, {})
    assert (str(without), without.user, without.password) == (shown, user, None)


@pytest.mark.parametrize(
    "url",
    ["broker:1883", "http://anna:s3cret@broker", "mqtt://", "mqtt://anna:s3cret@broker:port",
     "mqtt://anna:s3cret@broker/a/+/b", "mqtt://anna:12/s3cret@broker", "mqtt://broker/a?s3cret", "mqtt://[s3cret"],
)  # fmt: skip
def test_what_is_no_address_is_not_repeated(url: str) -> None:
    with pytest.raises(EdgeclfError, match=r"cannot be read; give mqtt\[s\]://") as error:
        MqttAddress.parse(url, {})
    assert "s3cret" not in str(error.value)


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


def test_no_thread_is_left(broker: Broker, warnings: list[str]) -> None:
    before = threading.active_count()
    for _ in range(3):
        mqtt = Mqtt(address_of(broker), labels=LABELS, warn=warnings.append)
        sink = QueuedSink(mqtt, bound=9, warn=warnings.append)
        sink.report_event(event(), observation())
        sink.close(20)
    wait_until(lambda: threading.active_count() <= before)
