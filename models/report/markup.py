"""Elements of SVG as text that is well-formed XML. What is not `Markup` is escaped."""

from collections.abc import Iterable

from markupsafe import Markup, escape

from .characters import printable

__all__ = ["Markup", "join", "tag"]


def join(parts: Iterable[str]) -> Markup:
    """Return the parts as one."""
    return Markup().join(map(_escaped, parts))


def tag(name: str, /, *children: str, **attributes: str | float | None) -> Markup:
    """Return an element: `tag("text", "1 < 2", class_="tick")`.

    Attributes end in `_` where Python has the word, have `-` for `_`, hold numbers to two decimals,
    and are left out if None.
    """
    attributes_text = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{_escaped(_attribute_text(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    if not children:
        return Markup(f"<{name}{attributes_text} />")
    return Markup(f"<{name}{attributes_text}>{join(children)}</{name}>")


def _escaped(text: str) -> Markup:
    return text if isinstance(text, Markup) else escape(printable(text))


def _attribute_text(value: str | float) -> str:
    if isinstance(value, str):
        return value
    return f"{value:.2f}".rstrip("0").rstrip(".") if value % 1 else f"{value:.0f}"
