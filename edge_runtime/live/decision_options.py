"""The options of `edgeclf run` that say which label is believed, and when it is news."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ..command_line.option_types import FiniteRange, whole_number

# `edgeclf run photo.jpg` reads the options, too, and waits for no camera's code.
if TYPE_CHECKING:
    from .decisions import DecisionConfig

_Command = TypeVar("_Command", bound=Callable[..., Any])

_DEFAULT_SMOOTH_S = 0.5
_MOST_VOTES = 1000  # the scores of so many frames are kept
_UNKNOWN_S = 1.0  # a shorter `unknown` between two labels is no event


@dataclass(frozen=True)
class DecisionOptions:
    """What the options of `decision_options` were set to.

    Attributes:
        smooth: time constant of the scores' average, in seconds; None for the default.
        vote: (k, n) for a label that k of the last n frames agree on.
        min_duration: how long a new label must be seen, in seconds.
        class_threshold: pairs of a label and its threshold.
    """

    smooth: float | None = None
    vote: tuple[int, int] | None = None
    min_duration: float = 0.0
    class_threshold: tuple[tuple[str, float], ...] = ()

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> "DecisionOptions":
        """Return what is ours of the parameters of a command, by name."""
        return cls(**{each.name: values[each.name] for each in fields(cls)})


def _read_vote(_ctx: Any, _option: Any, value: str | None) -> tuple[int, int] | None:
    if value is None:
        return None
    numbers = [whole_number(part, most=_MOST_VOTES) or 0 for part in value.split("/")]
    if len(numbers) != 2 or not 1 <= numbers[0] <= numbers[1]:
        raise click.BadParameter(
            f"{value!r}: give K/N with 1 <= K <= N, such as 3/5; N at most {_MOST_VOTES}"
        )
    return numbers[0], numbers[1]


def _read_thresholds(
    _ctx: Any, _option: Any, values: tuple[str, ...]
) -> tuple[tuple[str, float], ...]:
    pairs = []
    for value in values:
        label, _, number = value.rpartition("=")
        try:
            threshold = float(number)
        except ValueError:
            threshold = -1.0
        if not label or not 0 <= threshold <= 1:
            raise click.BadParameter(f"{value!r}: give a class and a score from 0 to 1, LABEL=0.8")
        pairs.append((label, threshold))
    return tuple(pairs)


_OPTIONS = (
    click.option(
        "--smooth",
        type=FiniteRange(min=0),
        metavar="SECONDS",
        help="Time constant by which scores are averaged. "
        f"[default: {_DEFAULT_SMOOTH_S:g}; 0 with --vote]",
    ),
    click.option(
        "--vote",
        callback=_read_vote,
        metavar="K/N",
        help="Frames that must agree on a label: K of the last N.",
    ),
    click.option(
        "--min-duration",
        default=0.0,
        show_default=True,
        type=FiniteRange(min=0),
        metavar="SECONDS",
        help="Seconds that a new label must last before an event is reported.",
    ),
    click.option(
        "--class-threshold",
        multiple=True,
        callback=_read_thresholds,
        metavar="LABEL=VALUE",
        help="Threshold of one class, in place of the model's and of --threshold; repeatable.",
    ),
)


def decision_options(function: _Command) -> _Command:
    """Add the options to a command; `DecisionOptions.of` takes what it gets for them."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def decision_config(
    options: DecisionOptions,
    *,
    threshold: float,
    thresholds: Mapping[str, float] | None,
    scene: bool = True,
) -> "DecisionConfig":
    """Return what it takes to believe a label.

    Args:
        options: as given; their thresholds go before the model's.
        threshold: of a class that has none of its own.
        thresholds: the model's, `ModelSpec.thresholds`.
        scene: whether frames show one scene as it goes on, and not a thing each.
    """
    from .decisions import DecisionConfig

    smooth_s = options.smooth
    if smooth_s is None:
        smooth_s = _DEFAULT_SMOOTH_S if scene and not options.vote else 0.0
    return DecisionConfig(
        threshold=threshold,
        class_thresholds=dict(thresholds or {}) | dict(options.class_threshold),
        smooth_s=smooth_s,
        vote=options.vote,
        min_duration_s=options.min_duration,
        unknown_s=_UNKNOWN_S if scene else 0.0,
        gap_s=DecisionConfig.gap_s if scene else math.inf,
    )
