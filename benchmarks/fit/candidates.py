"""The candidates of a fit, and the values of its options. Importing this loads no TensorFlow.

A candidate is an architecture at an input size, whole or slimmed, converted by the recipe int8.
A further property is a field of `Candidate` and a loop in `make_candidates`.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import click

from ...edge_runtime.errors import EdgeclfError
from ...models.networks.architectures import ARCHITECTURES, Architecture, architecture

_SIXTEEN = 16  # pixels; input sizes are multiples
_SIZES = (4, 5, 6)  # sevenths of the size that an architecture is meant for
_UNITS = {"us": 1e-3, "µs": 1e-3, "ms": 1.0, "s": 1e3}
_BUDGET = re.compile(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*(\S*)\s*", re.ASCII)


@dataclass(frozen=True)
class Candidate:
    """A network that may be trained.

    Attributes:
        name: what tables and folders call it.
        architecture: name of the network.
        weights: to start from: `imagenet`, `none`, or a file.
        input_size: height and width of its input, in pixels.
        keep: share of its multiply-accumulates to which it is slimmed once it is trained, above 0;
            1 for the whole network.
    """

    name: str
    architecture: str
    weights: str
    input_size: int
    keep: float = 1.0

    @property
    def whole(self) -> str:
        """The name of the whole network at this size, whose training all its shares begin with."""
        return f"{self.architecture}-{self.input_size}"


def option_default(command: click.Command, name: str) -> Any:
    """Return the default of an option of `edgeclf train` or `edgeclf slim`."""
    [option] = [one for one in command.params if one.name == name]
    return option.default


def check_epochs(candidate: Candidate, epochs: int) -> None:
    """Refuse a search in which nothing would be trained."""
    if not epochs and candidate.weights == "none":
        raise EdgeclfError(
            f"--epochs 0: {candidate.name} starts from no weights, so its head alone cannot be "
            "trained; give 1 or more"
        )


def input_sizes(chosen: Architecture) -> tuple[int, ...]:
    """Return the input sizes that are tried of an architecture: its own, and three smaller ones."""
    smaller = {
        max(round(chosen.input_size * share / 7 / _SIXTEEN) * _SIXTEEN, chosen.least_size)
        for share in _SIZES
    }
    return tuple(sorted(smaller | {chosen.input_size}))


def make_candidates(
    choices: Sequence[tuple[Architecture, str]],
    sizes: Sequence[int],
    shares: Sequence[float] = (),
) -> tuple[Candidate, ...]:
    """Return the candidates, each architecture's in the order of their input size, and of each
    size the whole network first, then the slim ones, the widest first.

    Args:
        choices: architectures, each with the weights to start from; none for all that have
            ImageNet weights.
        sizes: input sizes in pixels; none for those of `input_sizes`.
        shares: multiply-accumulates to keep of what is too slow whole, above 0, at most 1.

    Raises:
        EdgeclfError: an architecture is given twice, or a size is too small for all of them.
    """
    if not choices:
        known = ARCHITECTURES.values()
        choices = [(one, "imagenet") for one in known if one.application or one.package]
    names = [chosen.name for chosen, _ in choices]
    if twice := [name for name in names if names.count(name) > 1]:
        raise EdgeclfError(f"--arch {twice[0]} is given twice; give each architecture once")
    # As they are printed, in names and commands.
    printed = sorted({1.0, *(float(f"{share:g}") for share in shares)}, reverse=True)
    found = [
        _candidate(chosen, weights, size, keep)
        for chosen, weights in choices
        for size in sorted(set(sizes)) or input_sizes(chosen)
        if size >= chosen.least_size
        for keep in printed
    ]
    if not found:
        least = min(chosen.least_size for chosen, _ in choices)
        raise EdgeclfError(
            f"--input-size {max(sizes)} is too small for every architecture; give {least} or more"
        )
    return tuple(found)


def _candidate(chosen: Architecture, weights: str, size: int, keep: float) -> Candidate:
    whole = Candidate(f"{chosen.name}-{size}", chosen.name, weights, size)
    return whole if keep == 1 else replace(whole, name=f"{whole.name}-keep-{keep:g}", keep=keep)


def parse_budget(text: str) -> float:
    """Return the milliseconds of a text such as `20ms`, `0.02s` or `1500us`.

    Raises:
        EdgeclfError: it is no number above 0 with such a unit.
    """
    match = _BUDGET.fullmatch(text)
    unit = _UNITS.get(match[2]) if match else None
    if match is None or unit is None or not 0 < (ms := float(match[1]) * unit) < math.inf:
        raise EdgeclfError(
            f"{text!r:.40}: expected a number above 0 with a unit, us, ms or s, as 20ms"
        )
    return ms


def budget_option(ctx: click.Context | None, param: click.Parameter | None, value: str) -> float:
    """Return the milliseconds that an option names, or refuse it as the command line does."""
    try:
        return parse_budget(value)
    except EdgeclfError as error:
        raise click.BadParameter(str(error), ctx=ctx, param=param) from None


def architecture_options(
    ctx: click.Context | None, param: click.Parameter | None, values: Sequence[str]
) -> tuple[tuple[Architecture, str], ...]:
    """Return the architectures of options NAME or NAME=WEIGHTS, each with the weights to start
    from, or refuse what is unknown."""
    try:
        return tuple(
            (architecture(name), weights or "imagenet")
            for name, _, weights in (value.partition("=") for value in values)
        )
    except EdgeclfError as error:
        raise click.BadParameter(str(error), ctx=ctx, param=param) from None
