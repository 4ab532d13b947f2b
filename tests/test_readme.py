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
    with click.Context(main) as context:
        assert {words.split()[0] for words in COMMANDS} == set(main.list_commands(context))


@pytest.mark.parametrize("words", COMMANDS)
def test_a_shown_command_parses(words: str) -> None:
    name, *arguments = shlex.split(words.split(" > ", maxsplit=1)[0])
    with click.Context(main) as parent:
        command = main.get_command(parent, name)
        assert command is not None
        command.make_context(name, arguments, parent=parent)
