"""JSON read strictly: what is of another type than it should be is an error, never converted."""

import json
from typing import Any


def read_object(text: str) -> dict[str, Any]:
    """Return the JSON object in `text`, in which no name may stand twice.

    Raises:
        ValueError, TypeError: it is no JSON, no object, or nested too deeply.
    """
    try:
        value = json.loads(text, object_pairs_hook=_unique)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    found: dict[str, Any] = typed("the whole", value, dict)
    return found


def member(values: dict[str, Any], name: str, *kinds: type) -> Any:
    """Return `values[name]`, whose type must be one of `kinds`: a bool is no int.

    Raises:
        KeyError, TypeError: it is missing, or of another type.
    """
    return typed(name, values[name], *kinds)


def typed(name: str, value: Any, *kinds: type) -> Any:
    """Return `value`, whose type must be one of `kinds`; `name` stands in the TypeError."""
    if type(value) not in kinds:
        expected = " or ".join(kind.__name__ for kind in kinds)
        raise TypeError(f"{name} is {value!r:.40}, expected {expected}")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        raise ValueError("a name stands twice in an object")
    return values
