"""A page: one file that holds all it shows."""

import re
from collections.abc import Iterable
from pathlib import Path

from .markup import Markup, join, tag

_STYLE = Path(__file__).with_name("style.css")


def document(title: str, *body: Markup) -> str:
    """Return the page as HTML that is well-formed XML too."""
    head = [
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", title),
        tag("style", Markup(_STYLE.read_text("utf-8"))),
    ]
    html = tag("html", tag("head", *head), tag("body", *body), lang="en")
    return f"<!DOCTYPE html>\n{html}\n"


def section(title: str, *parts: Markup | None, note: str = "") -> Markup:
    """Return the parts that there are under a title and a note on how to read them."""
    items = [tag("p", note, class_="note")] if note else []
    return tag("section", tag("h2", title), *items, *(part for part in parts if part))


def tiles(items: Iterable[tuple[str, str, str]]) -> Markup:
    """Return the figures at the top of a page: each with its unit, and what it is about."""
    return tag(
        "ul",
        *(
            tag("li", tag("b", value, " ", tag("small", unit)), tag("span", about))
            for value, unit, about in items
        ),
        class_="tiles",
    )


def panels(charts: Iterable[Markup | None], *, three: bool = False) -> Markup | None:
    """Return the charts side by side, two or three in a row; None if there is none."""
    found = [tag("figure", chart) for chart in charts if chart]
    return tag("div", *found, class_="panels three" if three else "panels") if found else None


def muted(sentence: str) -> Markup:
    """Return a sentence with its intervals in the background."""
    parts = re.split(r"(\[[^ \]]+, [^ \]]+\])", sentence)
    return join(
        tag("span", part, class_="interval") if i % 2 else part for i, part in enumerate(parts)
    )
