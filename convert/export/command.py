"""`edgeclf export`: a model for a place where edgeclf itself does not run."""

import click

from .web.command import web


@click.group()
def export() -> None:
    """Export a .tflite file of `edgeclf convert` to web pages."""


export.add_command(web)
