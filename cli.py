"""The command line: each folder brings its commands, which load TensorFlow only if they need it."""

import errno
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any

import click

from . import __version__
from .edge_runtime.errors import EdgeclfError
from .edge_runtime.quiet import fill_closed_descriptors, quiet_opencv
from .edge_runtime.text import escape_what_output_cannot_write, printable_lines

# Loaded when they are called: a device that classifies one photograph waits for no other command.
_COMMANDS = {
    "data": "train.data_check.command",
    "train": "train.command",
    "evaluate": "train.evaluate_command",
    "convert": "convert.command",
    "slim": "train.slim.command",
    "export": "convert.export.command",
    "run": "edge_runtime.run_command",
    "teach": "edge_runtime.teach.command",
    "doctor": "edge_runtime.doctor.command",
    "service": "edge_runtime.service.command",
    "inspect": "edge_runtime.inspect.command",
    "benchmark": "benchmarks.command",
    "demo": "benchmarks.demo.command",
    "fit": "benchmarks.fit.command",
    "bulk": "fleet.bulk.command",
}

# What the system refuses, the user can mend: one line instead of a traceback. Not so these: bugs,
# and a closed pipe, after which click ends quietly.
_OTHER_OS_ERRORS = {None, errno.EBADF, errno.EINVAL, errno.EPIPE}
# 128 + SIGINT, as shells have it.
_INTERRUPTED = 130


class _Group(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in _COMMANDS:
            return None
        command = getattr(import_module(f".{_COMMANDS[cmd_name]}", __package__), cmd_name)
        assert isinstance(command, click.Command)
        return command

    def main(self, args: Sequence[str] | None = None, *rest: Any, **extra: Any) -> Any:
        fill_closed_descriptors()
        escape_what_output_cannot_write()
        try:
            return super().main(args, *rest, **extra)
        except SystemExit as end:
            if args is None and end.code == _INTERRUPTED and "tensorflow" in sys.modules:
                # Its threads still compute. Taken down around them, the process may abort instead.
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(_INTERRUPTED)
            raise

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except click.UsageError as error:
            text = error.format_message()
            if (public := _public(text)) == text:
                raise
            raise click.UsageError(public, error.ctx) from None
        except EdgeclfError as error:
            raise click.ClickException(_public(str(error))) from None
        except ModuleNotFoundError as error:
            from .models.command_line import missing_extra

            if (line := missing_extra(error)) is None:
                raise
            raise click.ClickException(line) from None
        except OSError as error:
            if error.errno in _OTHER_OS_ERRORS:
                raise
            name = _public(str(error.filename or "output"))
            raise click.ClickException(f"{name}: {error.strerror or error}") from None
        except KeyboardInterrupt as interrupt:
            # The terminal has written ^C, perhaps behind a progress bar.
            start = "\n" if sys.stderr.isatty() else ""
            remark = f": {interrupt}" if interrupt.args else ""
            click.echo(f"{start}Interrupted{remark}", err=True)
            ctx.exit(_INTERRUPTED)


def _public(text: str) -> str:
    """Return an error's text without escapes, and without what may be a secret in an address."""
    from .edge_runtime.live.sources.address import without_secrets

    return printable_lines(without_secrets(text))


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="edgeclf")
def main() -> None:
    """From a folder of labelled photographs to a quantized classifier on the edge."""
    quiet_opencv()
