"""The page's own files, which travel in the package."""

from functools import cache
from pathlib import Path

_FOLDER = Path(__file__).with_name("static")

# By the path that a browser asks for: the file and its type.
FILES = {
    "/": ("page.html", "text/html"),
    "/page.css": ("page.css", "text/css"),
    "/page.js": ("page.js", "text/javascript"),
    "/photographs.js": ("photographs.js", "text/javascript"),
    "/teaching.js": ("teaching.js", "text/javascript"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}


@cache
def content(name: str) -> bytes:
    """Return the bytes of one of the page's files."""
    return (_FOLDER / name).read_bytes()


def door() -> bytes:
    """Return the page that asks for the token."""
    return content("door.html")
