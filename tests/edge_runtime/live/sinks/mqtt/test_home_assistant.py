"""What Home Assistant is told."""

import re
from dataclasses import replace
from typing import Any

from live_news import LABELS, health, observation, wait_until
from mqtt_broker import DEVICE, Listener

from edgeclf.edge_runtime.live.sinks.mqtt.home_assistant import discovery_messages
from edgeclf.edge_runtime.live.sinks.queued import QueuedSink


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


def test_it_hears_of_classes_that_are_taught(listener: Listener, sink: QueuedSink[Any]) -> None:
    sink.report_health(health())
    seen = observation(0)
    decision = replace(seen.decision, scores=(*seen.decision.scores, 0.0), labels=(*LABELS, "dust"))
    sink.observe(replace(seen, decision=decision))
    topic = "homeassistant/sensor/hall_camera/label/config"
    wait_until(lambda: len(listener.of(topic)) == 2)
    assert listener.of(topic)[-1]["options"] == [*LABELS, "dust", "unknown"]


def test_no_attribute_changes_with_every_frame() -> None:
    """Home Assistant's recorder keeps each change of an attribute for ten days."""
    for message in discovery_messages("a", LABELS).values():
        topic = message.get("json_attributes_topic")
        assert topic in (None, "a/event", "a/source")
        if topic == "a/source":  # comes every five seconds, with counts and times
            named = re.findall(r"value_json\.(\w+)", message["json_attributes_template"])
            assert named == ["source", "reason"]
