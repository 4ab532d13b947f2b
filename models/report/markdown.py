"""Tables as Markdown."""

import re
from collections.abc import Iterator

from .characters import printable
from .table import Table

_SPECIAL = re.compile(r"([\\`*_\[\]<>|#~&])")


def markdown_table(table: Table, *, level: int = 2) -> Iterator[str]:
    """Yield the blocks of a table: its title, if it has one, itself, and its note."""
    if table.title:
        yield f"{'#' * level} {escaped(table.title)}"
    columns = list(zip(*table.rows, strict=True))
    marks = ["---:" if all(cell[:1] in "0123456789+−—<" for cell in c) else "---" for c in columns]
    marks[0] = "---"
    lines = [
        list(map(escaped, table.header)),
        marks,
        *(list(map(escaped, row)) for row in table.rows),
    ]
    yield "\n".join(f"| {' | '.join(line)} |" for line in lines)
    if table.note:
        yield escaped(table.note)


def escaped(text: str) -> str:
    """Return any text as Markdown that shows it, in one line."""
    return _SPECIAL.sub(r"\\\1", " ".join(printable(text).split()))
