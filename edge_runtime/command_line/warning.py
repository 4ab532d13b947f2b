"""Warnings of commands."""

import click

from ..text import printable


def echo_warning(text: str) -> None:
    """Print a warning, one line on standard error, safe for a terminal."""
    click.echo(f"Warning: {printable(text)}", err=True)
