"""A real mosquitto on loopback, and who listens to it."""

import contextlib
import json
import signal
import socket
import subprocess
from pathlib import Path
from typing import Any

from live_news import wait_until
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from edgeclf.edge_runtime.live.sinks.mqtt.address import MqttAddress
from edgeclf.edge_runtime.live.sinks.mqtt.home_assistant import Device

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


def address_of(broker: Broker, user: str = "") -> MqttAddress:
    return MqttAddress.parse(f"mqtt://{user}127.0.0.1:{broker.port}/hall/camera", {})
