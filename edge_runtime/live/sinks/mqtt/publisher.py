"""What is seen, published to an MQTT broker.

    PREFIX/availability   `online` while the camera is live, else `offline`; retained, and the will
    PREFIX/state          label, score, age: when the label changes and once a second; retained
    PREFIX/source         how the camera is; retained
    PREFIX/event          each change of the steady label; QoS 1
    PREFIX/image          the picture of the newest event, as JPEG; retained

What is retained goes out with QoS 0, and again whenever a connection is made: only the newest of it
counts, and a client that queues it would deliver an old `offline` after a new `online`. Events are
queued while the broker is away; each is numbered, for with QoS 1 one may come twice.
"""

import contextlib
import json
import ssl
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ....errors import EdgeclfError
from ....prediction import Record
from ...observation import Event, Observation, SourceHealth, SourceState
from ..queued import Outlet, Warn
from ..rows import event_row, health_row, observation_row
from .address import MqttAddress
from .home_assistant import Device, discovery_messages

_STATE_EVERY_S = 1.0
_KEEP_ALIVE_S = 20
_LONGEST_WAIT_S = 30
_AT_THE_END_S = 0.5
_WIDEST, _QUALITY = 1280, 80  # of a picture: pixels, and JPEG's quality
_ONLINE, _OFFLINE = "online", "offline"


@dataclass(frozen=True)
class MqttCounts:
    """What became of the events.

    Attributes:
        published: handed in.
        acknowledged: the broker has confirmed them.
        lost: refused because too many waited, or not confirmed at the end.
    """

    published: int
    acknowledged: int
    lost: int

    @property
    def waiting(self) -> int:
        """Return how many are on their way."""
        return self.published - self.acknowledged - self.lost


def require_paho() -> None:
    """Complain of a missing paho-mqtt, with the line that installs it."""
    try:
        import paho.mqtt.client  # noqa: F401
    except ModuleNotFoundError:
        raise EdgeclfError("--mqtt needs paho-mqtt: pip install 'edgeclf[mqtt]'") from None


class Mqtt(Outlet[Record]):
    """A client of a broker, which may be away at any time."""

    def __init__(
        self,
        address: MqttAddress,
        *,
        labels: Sequence[str],
        warn: Warn,
        device: Device | None = None,
        bound: int = 1000,
    ) -> None:
        """Start to connect; at most `bound` events wait while the broker is away.

        Raises:
            EdgeclfError: paho-mqtt is not installed.
        """
        require_paho()
        from paho.mqtt.client import Client
        from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode

        self.name = str(address)
        self._prefix, self._warn, self._bound = address.prefix, warn, bound
        self._next_state_at = 0.0
        self._last_label: str | None = None
        self._picture: NDArray[np.uint8] | None = None  # of the newest event: only one is held

        # Neither lock is held where paho takes one of its own: it calls back with that held.
        self._retaining = threading.Lock()
        self._connected = self._closing = False
        self._device, self._labels, self._announced = device, tuple(labels), tuple(labels)
        self._retained: dict[str, str | bytes] = dict(self._discovery())
        self._retained[self._topic("availability")] = _OFFLINE

        self._counting = threading.Lock()
        self._published = self._acknowledged = self._lost = 0
        self._waiting_mids: set[int] = set()
        self._early_mids: set[int] = set()

        self._reported: set[str] = set()  # why the broker is away
        self._full_reported = False

        self._full = MQTTErrorCode.MQTT_ERR_QUEUE_SIZE
        self._client = client = Client(CallbackAPIVersion.VERSION2)
        client.max_queued_messages_set(bound)
        client.reconnect_delay_set(min_delay=1, max_delay=_LONGEST_WAIT_S)
        client.will_set(self._topic("availability"), _OFFLINE, qos=1, retain=True)
        if address.user is not None:
            client.username_pw_set(address.user, address.password)
        if address.tls:
            client.tls_set_context(ssl.create_default_context())
        client.on_connect = self._on_connect
        client.on_connect_fail = self._on_connect_fail
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        client.connect_async(address.host, address.port, keepalive=_KEEP_ALIVE_S)
        client.loop_start()

    @property
    def counts(self) -> MqttCounts:
        """Return what became of the events so far."""
        with self._counting:
            return MqttCounts(self._published, self._acknowledged, self._lost)

    def pick(self, observation: Observation) -> Record | None:
        """Take a frame once a second, and each that changes the label."""
        at, label = observation.frame.arrived, observation.decision.label
        self._labels = observation.decision.labels or self._labels
        if label == self._last_label and at < self._next_state_at:
            return None
        self._last_label, self._next_state_at = label, at + _STATE_EVERY_S
        return observation_row(observation)

    def pick_event(self, event: Event, observation: Observation) -> Record:
        """Take every event, and the picture of the newest."""
        self._picture = observation.frame.bgr
        return event_row(event, source=observation.frame.source)

    def pick_health(self, health: SourceHealth) -> Record:
        """Take every state."""
        return health_row(health)

    def write(self, item: Record) -> None:
        """Publish, or keep until the broker is there."""
        if self._labels != self._announced:  # some were taught, or taken back
            self._announced = self._labels
            for topic, message in self._discovery():
                self._retain(topic, message)
        if item["type"] == "event":
            self._publish_event(item)
            picture, self._picture = self._picture, None
            if picture is not None:
                self._retain(self._topic("image"), _jpeg(picture))
        elif item["type"] == "frame":
            self._retain(self._topic("state"), _json(item))
        else:
            live = item["state"] == SourceState.LIVE.value
            self._retain(self._topic("source"), _json(item))
            self._retain(self._topic("availability"), _ONLINE if live else _OFFLINE)

    def close(self) -> None:
        """Say `offline` behind all events, and tell which were not delivered."""
        with self._retaining:
            self._closing, connected = True, self._connected
        if connected:
            last = self._client.publish(self._topic("availability"), _OFFLINE, qos=1, retain=True)
            with contextlib.suppress(RuntimeError, ValueError):  # just gone: the will says it
                last.wait_for_publish(_AT_THE_END_S)
        self._client.disconnect()
        if connected:
            self._client.loop_stop()
        left = self.counts.waiting
        with self._counting:
            self._lost += left
        if left:
            self._warn(f"{self.name}: {left} events were not delivered and are lost")

    def _topic(self, name: str) -> str:
        return f"{self._prefix}/{name}"

    def _publish_event(self, row: Record) -> None:
        with self._counting:
            self._published += 1
            number = self._published
            self._early_mids.clear()
        message = {"event_type": row["label"], "number": number} | row
        info = self._client.publish(self._topic("event"), _json(message), qos=1)
        full = info.rc == self._full
        with self._counting:
            if full:
                self._lost += 1
            elif info.mid in self._early_mids:
                self._acknowledged += 1
            else:
                self._waiting_mids.add(info.mid)
        if full and not self._full_reported:
            self._warn(f"{self.name}: {self._bound} events wait; further ones are lost")
        self._full_reported = full

    def _discovery(self) -> Iterator[tuple[str, str]]:
        messages = discovery_messages(self._prefix, self._announced, self._device)
        return ((topic, _json(message)) for topic, message in messages.items())

    def _retain(self, topic: str, payload: str | bytes) -> None:
        with self._retaining:
            changed = self._retained.get(topic) != payload
            self._retained[topic] = payload
            if changed and self._connected:
                self._client.publish(topic, payload, retain=True)

    # On paho's thread.

    def _on_connect(
        self, client: Any, _userdata: Any, _flags: Any, reason: Any, _properties: Any
    ) -> None:
        if reason.is_failure:
            self._tell_away(f"refuses the connection: {reason}")
            return
        availability = self._topic("availability")
        with self._retaining:
            if self._closing:
                client.disconnect()
                return
            self._connected = True
            # What is known comes before the word that it holds.
            for topic in sorted(self._retained, key=lambda topic: topic == availability):
                client.publish(topic, self._retained[topic], retain=True)
        if self._reported:
            self._reported.clear()
            counts = self.counts
            self._warn(
                f"{self.name}: connected; {counts.waiting} events have waited, {counts.lost} lost"
            )

    def _on_connect_fail(self, _client: Any, _userdata: Any) -> None:
        error = sys.exc_info()[1]  # paho calls from where it caught it
        self._tell_away(f"cannot be reached ({getattr(error, 'strerror', None) or error})")

    def _on_disconnect(
        self, _client: Any, _userdata: Any, _flags: Any, _reason: Any, _properties: Any
    ) -> None:
        with self._retaining:
            lost, self._connected = self._connected and not self._closing, False
        if lost:
            self._tell_away("has gone")

    def _on_publish(
        self, _client: Any, _userdata: Any, mid: int, _reason: Any, _properties: Any
    ) -> None:
        with self._counting:
            if mid in self._waiting_mids:
                self._waiting_mids.remove(mid)
                self._acknowledged += 1
            else:
                self._early_mids.add(mid)

    def _tell_away(self, reason: str) -> None:
        if reason not in self._reported and not self._closing:
            self._reported.add(reason)
            self._warn(f"{self.name}: {reason}; tries again, up to {self._bound} events wait")


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _jpeg(bgr: NDArray[np.uint8]) -> bytes:
    height, width = bgr.shape[:2]
    if width > _WIDEST:
        size_wh = (_WIDEST, max(1, round(height * _WIDEST / width)))
        bgr = np.asarray(cv2.resize(bgr, size_wh, interpolation=cv2.INTER_AREA), np.uint8)
    return cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1].tobytes()
