"""Elements of HTML and SVG as text that is well-formed XML. What is not `Markup` is escaped."""

import re
from collections.abc import Iterable
from html import escape

# What XML 1.0 forbids, https://www.w3.org/TR/xml/#charsets, as it can stand in the name of a file.
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class Markup(str):
    """Text that holds elements, and is escaped where it has to be."""

    __slots__ = ()


def text(value: str) -> Markup:
    """Return any text as what shows it; `Markup` is what it is."""
    return value if isinstance(value, Markup) else Markup(escape(printable(value)))


def printable(value: str) -> str:
    """Return the text with U+FFFD for each character that no XML may hold."""
    return _FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", value)


def join(parts: Iterable[str], *, by: str = "") -> Markup:
    """Return the parts as one."""
    return Markup(text(by).join(text(part) for part in parts))


def tag(name: str, /, *children: str, **attributes: str | float | None) -> Markup:
    """Return an element: `tag("p", "1 < 2", class_="note")`.

    Attributes end in `_` where Python has the word, have `-` for `_`, hold numbers to two decimals,
    and are left out if None.
    """
    attributes_text = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{text(_attribute_text(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    if not children and name in {"br", "circle", "img", "line", "meta", "path", "rect"}:
        return Markup(f"<{name}{attributes_text} />")
    return Markup(f"<{name}{attributes_text}>{join(children)}</{name}>")


def _attribute_text(value: str | float) -> str:
    if isinstance(value, str):
        return value
    return f"{value:.2f}".rstrip("0").rstrip(".") if value % 1 else f"{value:.0f}"
