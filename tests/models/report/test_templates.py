"""Pages from templates: what is escaped, what is not, and what a mistake in one does."""

from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from jinja2 import UndefinedError
from markupsafe import Markup

from edgeclf.models.report.table import Table
from edgeclf.models.report.templates import render_page, split_intervals

TEMPLATE = """{% extends "base.html" %}
{% import "parts.html" as parts %}
{% block main %}
<p title="{{ text }}">{{ text }}</p>
{{ chart }}
{{ parts.table(table, "b") }}
{% endblock %}
"""
NASTY = "<b>&\"'</b>\x1b"
SHOWN = "<b>&\"'</b>\N{REPLACEMENT CHARACTER}"
TABLE = Table(
    "Figures", ["name", "value"], [["a", "0.5 [0.4, 0.6] p 0.1"], ["b", f"of {NASTY}"]], "Read me."
)


def render(folder: Path, **content: Any) -> ElementTree.Element:
    (folder / "page.html").write_text(TEMPLATE)
    given = {"title": NASTY, "text": NASTY, "chart": Markup("<svg />"), "table": TABLE}
    html = render_page(folder / "page.html", **(given | content))
    return ElementTree.fromstring(html.removeprefix("<!DOCTYPE html>\n"))


def test_text_is_escaped_and_markup_is_not(tmp_path: Path) -> None:
    root = render(tmp_path)
    [paragraph] = [p for p in root.iter("p") if p.get("title")]
    assert paragraph.get("title") == paragraph.text == root.findtext("head/title") == SHOWN
    assert len(list(root.iter("svg"))) == 1
    assert not list(root.iter("b"))


def test_a_table_has_its_parts(tmp_path: Path) -> None:
    root = render(tmp_path)
    [table] = root.iter("table")
    assert table.findtext("caption") == "Figures"
    assert [th.text for th in table.iter("th") if th.get("scope") == "col"] == ["name", "value"]
    first, second = table.iterfind("tbody/tr")
    assert "".join(first.itertext()).split() == ["a", "0.5", "[0.4,", "0.6]", "p", "0.1"]
    assert second.get("class") == "shipped"
    assert second.findtext("td") == f"of {SHOWN}"
    # A column with any text is one of text, so that its interval stays where it stands.
    assert not list(first.iter("span"))
    figures = render(tmp_path, table=Table("", ["", ""], TABLE.rows[:1]))
    assert [span.text for span in figures.iter("span")] == ["[0.4, 0.6]", "p 0.1"]
    assert not list(figures.iter("caption"))
    assert not list(figures.iter("thead"))
    assert not list(render(tmp_path, table=Table("", [], [])).iter("table"))


def test_a_name_that_is_misspelt_is_an_error(tmp_path: Path) -> None:
    template = tmp_path / "page.html"
    template.write_text('{% extends "base.html" %}{% block main %}{{ titel }}{% endblock %}')
    with pytest.raises(UndefinedError, match="titel"):
        render_page(template, title="x")


def test_intervals_of_a_sentence() -> None:
    sentence = "loses 1 [0, 2] of [all] images [−1.5, 0.5]"
    assert [part for part, is_interval in split_intervals(sentence) if is_interval] == [
        "[0, 2]",
        "[−1.5, 0.5]",
    ]
    assert "".join(part for part, _ in split_intervals(sentence)) == sentence
