"""Pages made from Jinja2 templates: each is one file that holds all it shows."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from .characters import printable

# A figure at the top of a page: its value, its unit, and what it is about.
Tile = tuple[str, str, str]

_SHARED = Path(__file__).parent  # base.html, parts.html, style.css


def render_page(template: Path, **content: Any) -> str:
    """Return the page of a template, HTML that is well-formed XML too.

    Args:
        template: a file that extends `base.html`.
        content: what it shows. Text is escaped; `Markup` is put in as it is.
    """
    environment = Environment(
        loader=FileSystemLoader([template.parent, _SHARED]),
        autoescape=True,
        finalize=_printable,
        lstrip_blocks=True,
        trim_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters["split_intervals"] = split_intervals
    return environment.get_template(template.name).render(content) + "\n"


def split_intervals(sentence: str) -> Sequence[tuple[str, bool]]:
    """Return the parts of a sentence in order, each with whether it is an interval in brackets."""
    parts = re.split(r"(\[[^ \]]+, [^ \]]+\])", sentence)
    return [(part, bool(i % 2)) for i, part in enumerate(parts)]


def _printable(value: Any) -> Any:
    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value
