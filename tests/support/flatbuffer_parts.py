"""Parts of a model file, as the schema's classes have them."""

from typing import Any


def made(kind: Any, **values: object) -> Any:
    """Return a part with these values; the classes of ai-edge-litert 1.4 take no arguments."""
    part = kind()
    for name, value in values.items():
        setattr(part, name, value)
    return part
