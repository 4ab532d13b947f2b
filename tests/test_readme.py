"""The README and the pages of docs/ show commands that exist, and link to files that exist."""

import re
import shlex
from pathlib import Path

import click
import pytest

from edgeclf.cli import main

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PAGES = (*sorted(ROOT.glob("*.md")), *sorted(DOCS.rglob("*.md")))


def read_commands(page: Path) -> list[str]:
    text = page.read_text(encoding="utf-8").replace("\\\n", " ")
    return re.findall(r"^\$ edgeclf (.+)$", text, flags=re.MULTILINE)


COMMANDS = sorted({words for page in PAGES for words in read_commands(page)})


def read_links(page: Path) -> list[str]:
    text = page.read_text(encoding="utf-8")
    return [link for link in re.findall(r"\]\(([^)#\s]+)", text) if "://" not in link]


def test_every_command_is_shown() -> None:
    shown = {words.split()[0] for words in read_commands(DOCS / "usage.md")}
    with click.Context(main) as context:
        assert shown == set(main.list_commands(context))


def test_the_readme_shows_five_commands() -> None:
    shown = {words.split()[0] for words in read_commands(ROOT / "README.md")}
    assert shown == {"train", "convert", "inspect", "run", "benchmark"}


@pytest.mark.parametrize("words", COMMANDS)
def test_a_shown_command_parses(words: str) -> None:
    name, *arguments = shlex.split(words.split(" > ", maxsplit=1)[0], comments=True)
    with click.Context(main) as parent:
        command = main.get_command(parent, name)
        assert command is not None
        command.make_context(name, arguments, parent=parent)


def test_the_readme_is_read_in_two_minutes() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").split()) <= 900


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_to_files(page: Path) -> None:
    missing = [link for link in read_links(page) if not (page.parent / link).exists()]
    assert not missing


def test_the_index_links_every_page() -> None:
    linked = {(DOCS / link).resolve() for link in read_links(DOCS / "index.md")}
    assert set(DOCS.rglob("*.md")) - {DOCS / "index.md"} <= linked
