"""What Home Assistant must know to show a camera's label without any configuration.

Each entity is a retained message in a topic of its own
(https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ....prediction import UNKNOWN

_DISCOVERY = "homeassistant"
_EXPIRES_S = 60  # a state that is not repeated: its sender hangs
_SOURCE_ATTRIBUTES = "{{ {'source': value_json.source, 'reason': value_json.reason} | tojson }}"


@dataclass(frozen=True)
class Device:
    """What Home Assistant shows of the device that watches.

    Attributes:
        model: network and recipe of the model file.
        version: of edgeclf.
        url: of the web page, without a token; None if other machines cannot reach one.
    """

    model: str | None = None
    version: str | None = None
    url: str | None = None

    def to_json(self) -> dict[str, str]:
        """Return what is known, in the names of Home Assistant."""
        values = {"model": self.model, "sw_version": self.version, "configuration_url": self.url}
        return {name: value for name, value in values.items() if value is not None}


def discovery_messages(
    prefix: str, labels: Sequence[str], device: Device | None = None
) -> dict[str, dict[str, Any]]:
    """Return, by topic, what makes the entities of a model with the classes `labels`.

    The recorder keeps each change of a state and of its attributes: so none of the attributes
    changes with every frame.

    Args:
        prefix: of the topics `state`, `event`, `image`, `source` and `availability`.
        labels: the classes.
        device: that watches.
    """
    node = re.sub(r"[^A-Za-z0-9_-]", "_", prefix)
    all_labels = [*labels, *([] if UNKNOWN in labels else [UNKNOWN])]
    identity = {"identifiers": [f"edgeclf_{node}"], "name": prefix, "manufacturer": "edgeclf"}
    shared = {
        "availability_topic": f"{prefix}/availability",
        "device": identity | (device.to_json() if device else {}),
        "origin": {"name": "edgeclf"},
    }
    state = shared | {"state_topic": f"{prefix}/state", "expire_after": _EXPIRES_S}
    score = {"unit_of_measurement": "%", "state_class": "measurement"}
    age = {"unit_of_measurement": "ms", "device_class": "duration", "state_class": "measurement"}
    entities: dict[tuple[str, str], dict[str, Any]] = {
        ("sensor", "label"): state
        | {"name": "Label", "value_template": "{{ value_json.label }}"}
        | {"device_class": "enum", "options": all_labels}
        | {"json_attributes_topic": f"{prefix}/event"},
        ("sensor", "score"): state
        | {"name": "Score", "value_template": "{{ (value_json.score * 100) | round(0) }}"}
        | score,
        ("sensor", "age"): state
        | {"name": "Frame age", "value_template": "{{ value_json.age_ms }}"}
        | {"entity_category": "diagnostic", "enabled_by_default": False}
        | age,
        ("event", "change"): shared
        | {"name": "Change", "state_topic": f"{prefix}/event", "event_types": all_labels},
        ("image", "picture"): shared
        | {"name": "Picture", "image_topic": f"{prefix}/image", "content_type": "image/jpeg"},
    }
    # Readable while the camera is dead: that is when its state is wanted.
    entities["sensor", "source"] = {
        "name": "Camera",
        "state_topic": f"{prefix}/source",
        "value_template": "{{ value_json.state }}",
        "json_attributes_topic": f"{prefix}/source",
        "json_attributes_template": _SOURCE_ATTRIBUTES,
        "entity_category": "diagnostic",
        "device": shared["device"],
        "origin": shared["origin"],
    }
    return {
        f"{_DISCOVERY}/{component}/{node}/{name}/config": entity
        | {"unique_id": f"edgeclf_{node}_{name}"}
        for (component, name), entity in entities.items()
    }
