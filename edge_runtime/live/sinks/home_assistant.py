"""What Home Assistant must know to show a camera's label without being told anything.

Each entity is a retained message in a topic of its own
(https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery).
"""

import re
from collections.abc import Sequence
from typing import Any

from ...prediction import UNKNOWN

_DISCOVERY = "homeassistant"
_EXPIRES_S = 60  # a state that is not repeated: its sender hangs


def discovery_messages(prefix: str, labels: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return, by topic, what makes the entities of a model with the classes `labels`.

    Args:
        prefix: of the topics `state`, `event`, `source` and `availability`.
        labels: the classes.
    """
    node = re.sub(r"[^A-Za-z0-9_-]", "_", prefix)
    all_labels = [*labels, *([] if UNKNOWN in labels else [UNKNOWN])]
    shared = {
        "availability_topic": f"{prefix}/availability",
        "device": {"identifiers": [f"edgeclf_{node}"], "name": prefix, "manufacturer": "edgeclf"},
        "origin": {"name": "edgeclf"},
    }
    state = shared | {"state_topic": f"{prefix}/state", "expire_after": _EXPIRES_S}
    score = {"unit_of_measurement": "%", "state_class": "measurement"}
    age = {"unit_of_measurement": "ms", "device_class": "duration", "state_class": "measurement"}
    entities: dict[tuple[str, str], dict[str, Any]] = {
        ("sensor", "label"): state
        | {"name": "Label", "value_template": "{{ value_json.label }}"}
        | {"device_class": "enum", "options": all_labels}
        | {"json_attributes_topic": f"{prefix}/state"},
        ("sensor", "score"): state
        | {"name": "Score", "value_template": "{{ (value_json.score * 100) | round(1) }}"}
        | score,
        ("sensor", "age"): state
        | {"name": "Frame age", "value_template": "{{ value_json.age_ms }}"}
        | {"entity_category": "diagnostic"}
        | age,
        ("event", "change"): shared
        | {"name": "Change", "state_topic": f"{prefix}/event", "event_types": all_labels},
    }
    # Readable while the camera is dead: that is when its state is wanted.
    entities["sensor", "source"] = {
        "name": "Camera",
        "state_topic": f"{prefix}/source",
        "value_template": "{{ value_json.state }}",
        "json_attributes_topic": f"{prefix}/source",
        "entity_category": "diagnostic",
        "device": shared["device"],
        "origin": shared["origin"],
    }
    return {
        f"{_DISCOVERY}/{component}/{node}/{name}/config": entity
        | {"unique_id": f"edgeclf_{node}_{name}"}
        for (component, name), entity in entities.items()
    }
