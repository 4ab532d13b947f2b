"""The table of all measurements."""

from collections.abc import Sequence

from edgeclf.edge_runtime.command_line.table import format_table

from .boards import BOARDS
from .measure import Measurement

_HEADER = (
    "model",
    "board",
    "recipe",
    "M instructions",
    "to float32",
    "start, M",
    "peak MB",
    "XNNPACK parts",
    "as on x86-64",
)


def text_table(measured: Sequence[Measurement]) -> str:
    """Return the measurements as a table for the terminal."""
    return format_table(_HEADER, _rows(measured))


def markdown_table(measured: Sequence[Measurement]) -> str:
    """Return the measurements as a table in Markdown."""
    lines = [_HEADER, ["---"] * len(_HEADER), *_rows(measured)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _rows(measured: Sequence[Measurement]) -> list[list[str]]:
    titles = {board.name: f"{board.title} ({board.cpu})" for board in BOARDS}
    floats = {(one.model, one.board): one for one in measured if one.recipe == "float32"}
    return [
        [
            one.model,
            titles[one.board],
            one.recipe,
            f"{one.inference / 1e6:.2f}",
            f"{one.inference / floats[one.model, one.board].inference:.3f}",
            f"{one.start / 1e6:.1f}",
            f"{one.peak_bytes / 1e6:.0f}",
            str(one.delegated_parts),
            f"to {one.largest_difference:.0e}" if one.different else "bit for bit",
        ]
        for one in measured
    ]
