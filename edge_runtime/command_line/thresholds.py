"""The options `--threshold` and `--novelty-threshold`: below and above which a label is unknown."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from ..prediction import UNKNOWN
from .option_types import FiniteRange

_Function = TypeVar("_Function", bound=Callable[..., Any])


def threshold_options(function: _Function) -> _Function:
    """Give `function` the options `--threshold` and `--novelty-threshold`."""
    novelty = click.option(
        "--novelty-threshold",
        type=FiniteRange(0, 1),
        help=f"Novelty above which the label is `{UNKNOWN}`, 1 for never. [default: the model's]",
    )
    return click.option(
        "--threshold",
        default=0.0,
        show_default=True,
        type=FiniteRange(0, 1),
        help=f"Least score of a label; the label is `{UNKNOWN}` below.",
    )(novelty(function))
