"""The directive `command-reference`: all commands of edgeclf and their options, read from click."""

import inspect
from collections.abc import Iterator

import click
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from edgeclf.cli import main


class CommandReference(SphinxDirective):
    """A section per command."""

    def run(self) -> list[nodes.Node]:
        """Return the sections."""
        return self.parse_text_to_nodes(reference(), allow_section_headings=True)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive."""
    app.add_directive("command-reference", CommandReference)
    return {"parallel_read_safe": True}


def reference() -> str:
    """Return the reference of all commands as Markdown, sections from the second level on."""
    return "\n".join(_command_lines(main, click.Context(main, info_name="edgeclf")))


def _command_lines(command: click.Group, context: click.Context) -> Iterator[str]:
    for name in command.list_commands(context):
        child = command.get_command(context, name)
        assert child is not None
        # Asked for its help, a command adds the options that it otherwise leaves out for speed.
        own = child.make_context(name, ["--help"], parent=context, resilient_parsing=True)
        yield from _section(child, own)
        if isinstance(child, click.Group):
            yield from _command_lines(child, own)


def _section(command: click.Command, context: click.Context) -> Iterator[str]:
    path, arguments = context.command_path, " ".join(command.collect_usage_pieces(context))
    yield f"## {path}\n"
    yield f"```text\n{path} {arguments}\n```\n"
    for paragraph in inspect.cleandoc(command.help or "").split("\n\n"):
        is_verbatim = paragraph.startswith("\b\n")
        text = paragraph.removeprefix("\b\n")
        yield f"```console\n{text}\n```\n" if is_verbatim else f"{_escaped(text)}\n"
    for option in command.params:
        record = option.get_help_record(context)
        if record is not None:
            yield f"`{record[0]}`\n: {_escaped(record[1])}\n"


def _escaped(text: str) -> str:
    """Return the text with what Markdown would read as a tag or as emphasis escaped."""
    return "".join(f"\\{each}" if each in "<*[_" else each for each in text)
