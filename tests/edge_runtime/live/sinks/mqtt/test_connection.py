"""MQTT against a broker that stops, hangs, asks for a password or encrypts."""

import signal
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest
from live_news import LABELS, event, health, observation, wait_until
from mqtt_broker import Broker, Listener, address_of
from skips import require_program

from edgeclf.edge_runtime.live.observation import SourceState
from edgeclf.edge_runtime.live.sinks.mqtt.address import MqttAddress
from edgeclf.edge_runtime.live.sinks.mqtt.publisher import Mqtt
from edgeclf.edge_runtime.live.sinks.queued import QueuedSink


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
    wait_until(lambda: listener.words("hall/camera/availability")[-1] == "online")
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


def test_no_thread_is_left(broker: Broker, warnings: list[str]) -> None:
    before = threading.active_count()
    for _ in range(3):
        mqtt = Mqtt(address_of(broker), labels=LABELS, warn=warnings.append)
        sink = QueuedSink(mqtt, bound=9, warn=warnings.append)
        sink.report_event(event(), observation())
        sink.close(20)
    wait_until(lambda: threading.active_count() <= before)
