"""The help of every option of every command and script can be understood alone."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1]
PARTS = ("benchmarks", "convert", "edge_runtime", "fleet", "train")

# What points at something that stands elsewhere, or is no sentence.
NOT_ALONE = re.compile(
    r"^(of|how|what|where|then|before|after|below|with|without|at|as|for|its|the|a|one|only|timed) "
    r"|\b(it|its|them|they|likewise|so (many|much|long)|there)\b|\?$",
    flags=re.IGNORECASE,
)


def options() -> Iterator[tuple[str, str | None]]:
    """Every call of click.option in the sources: its place, and its help as it is written."""
    for part in PARTS:
        for path in sorted((PACKAGE / part).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and ast.unparse(node.func) == "click.option":
                    found = [each.value for each in node.keywords if each.arg == "help"]
                    place = f"{path.relative_to(PACKAGE)}:{ast.unparse(node.args[0])}"
                    yield place, written(found[0]) if found else None


def written(text: ast.expr) -> str:
    """A string as it stands in the source, with a word for each value that is filled in."""
    if isinstance(text, ast.JoinedStr):
        return "".join(
            str(each.value) if isinstance(each, ast.Constant) else "VALUE" for each in text.values
        )
    assert isinstance(text, ast.Constant)
    return str(text.value)


OPTIONS = dict(options())


def test_the_options_of_all_parts_are_found() -> None:
    assert len(OPTIONS) > 120
    assert {place.split("/")[0] for place in OPTIONS} == set(PARTS)


@pytest.mark.parametrize("place", OPTIONS)
def test_the_help_of_an_option_can_be_understood_alone(place: str) -> None:
    text = OPTIONS[place]
    assert text is not None
    assert len(text.split()) >= 3
    assert text[0].isupper()
    assert text.endswith((".", "]", "…"))
    assert NOT_ALONE.search(text) is None


@pytest.mark.parametrize(
    "text",
    ["Of their choice.", "How many.", "Without RUN: pixels.", "Write it as JSON.", "Is that so?"],
)
def test_what_needs_the_rest_is_seen(text: str) -> None:
    assert NOT_ALONE.search(text)
