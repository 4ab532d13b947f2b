"""`edgeclf export`: a model for a place where edgeclf itself does not run."""

import click

from .edgetpu.command import edgetpu
from .ethos_u import ethos_u
from .web.command import web


@click.group()
def export() -> None:
    """Export a .tflite file of `edgeclf convert` to a web page, or to an NPU."""


export.add_command(edgetpu)
export.add_command(ethos_u)
export.add_command(web)
