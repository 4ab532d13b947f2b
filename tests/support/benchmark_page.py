"""The parts of a benchmark's report, read back from HTML and Markdown."""

import re
from xml.etree import ElementTree

from edgeclf.models.metrics.statistics import Interval

SECTIONS = [
    "Accuracy against latency",
    "What is lost, what is gained",
    "Latency",
    "Class by class",
    "Confusion",
    "Where they differ",
    "Continuous work",
    "All figures",
    "The machine",
]


def parsed(html: str) -> ElementTree.Element:
    """Parse the page as XML, which fails unless it is well-formed."""
    first, rest = html.split("\n", maxsplit=1)
    assert first == "<!DOCTYPE html>"
    return ElementTree.fromstring(rest)


def digits_of(interval: Interval) -> str:
    """Return the format whose last digit is the second of the interval's width."""
    width = interval.high - interval.low
    return f".{next(n for n in range(9) if width * 10**n >= 10)}f"


def text_of(element: ElementTree.Element) -> str:
    return "".join(element.itertext())


def table_of(root: ElementTree.Element, title: str) -> list[list[str]]:
    """Return the cells of the table with that caption, the header first."""
    [table] = [t for t in root.iter("table") if text_of(t.find("caption")) == title]  # type: ignore[arg-type]
    return [[text_of(cell) for cell in row] for row in table.iter("tr")]


def markdown_table(text: str, title: str) -> list[list[str]]:
    """Return the cells of the table under that heading, the header first, without escapes."""
    block = text.split(f"## {title}\n\n")[1].split("\n\n", maxsplit=1)[0]
    lines = [re.split(r"(?<!\\)\|", line)[1:-1] for line in block.splitlines()]
    assert set("".join(lines[1])) <= set(" -:")
    rows = [lines[0], *lines[2:]]
    return [[re.sub(r"\\(.)", r"\1", cell.strip()) for cell in row] for row in rows]


def headline_of(root: ElementTree.Element) -> str:
    return text_of(next(root.iter("h1")))
