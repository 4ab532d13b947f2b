"""The README shows commands that exist."""

import re
import shlex
from pathlib import Path

import click
import pytest

from edgeclf.cli import main

README = (Path(__file__).resolve().parents[1] / "README.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^\$ edgeclf (.+)$", README.replace("\\\n", " "), flags=re.MULTILINE)


def test_every_command_is_shown() -> None:
    assert {words.split()[0] for words in COMMANDS} >= set(main.commands)


@pytest.mark.parametrize("words", COMMANDS)
def test_a_shown_command_parses(words: str) -> None:
    name, *arguments = shlex.split(words.split(" > ", maxsplit=1)[0])
    command = main.commands[name]
    with click.Context(main) as parent:
        command.make_context(name, arguments, parent=parent)
