"""A page: one file that holds all it shows."""

from pathlib import Path

from .markup import Markup, tag

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
    told = [tag("p", note, class_="note")] if note else []
    return tag("section", tag("h2", title), *told, *(part for part in parts if part))
