"""The option `--accelerator`, and the line that says what became of it."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ..text import printable

if TYPE_CHECKING:
    from ..accelerator.accelerator import Acceleration

_Function = TypeVar("_Function", bound=Callable[..., Any])


def accelerator_option(function: _Function) -> _Function:
    """Give `function` the option `--accelerator`."""
    return click.option(
        "--accelerator",
        default="cpu",
        show_default=True,
        metavar="cpu|auto|gpu|npu|PATH",
        help="Accelerator of the model, used after a trial against the CPU: LiteRT's GPU or NPU, "
        "or the library of a TFLite delegate, as PATH.so[;KEY:VALUE…].",
    )(function)


def say_acceleration(acceleration: "Acceleration | None") -> None:
    """Write to standard error what computes the model, if an accelerator was asked for."""
    if acceleration is not None:
        warning = "Warning: " if acceleration.is_refused else ""
        click.echo(f"{warning}{printable(str(acceleration))}", err=True)
