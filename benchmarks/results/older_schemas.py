"""Benchmarks of an older schema, with the keys of the present one."""

from collections.abc import Sequence
from typing import Any

# Of schema 2: where, the old key, the new one. Lists on the way are walked through.
_RENAMED = (
    (("machine",), "others", "background_load"),
    (("models",), "accuracy", "metrics"),
    (("models", "metrics"), "top1", "accuracy"),
    (("models", "metrics"), "top5", "top5_accuracy"),
)


def brought_up_to_date(value: Any) -> Any:
    """Return `value`, the JSON object of a benchmark, as schema 3 has it; others as they are."""
    if not isinstance(value, dict) or value.get("schema") != 2:
        return value
    for place, old, new in _RENAMED:
        value = _renamed(value, place, old, new)
    return value | {"schema": 3}


def _renamed(value: Any, place: Sequence[str], old: str, new: str) -> Any:
    if isinstance(value, list):
        return [_renamed(item, place, old, new) for item in value]
    if not isinstance(value, dict):  # damaged: whoever reads it says so
        return value
    if not place:
        return {new if key == old else key: item for key, item in value.items()}
    return {
        key: _renamed(item, place[1:], old, new) if key == place[0] else item
        for key, item in value.items()
    }
