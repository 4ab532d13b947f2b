"""The options of a live run, and what they become."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from ..classifier import Classifier
from ..model_file.spec import ModelSpec
from .decision_options import DecisionOptions, decision_config, decision_options
from .decisions import Decider
from .loop import LoopConfig
from .observation import Decides
from .sinks.options import sink_options
from .sources.health import Patience
from .web.options import open_web, web_options
from .web.view import WebView

_Function = TypeVar("_Function", bound=Callable[..., Any])


def _size(_ctx: object, _parameter: object, value: str | None) -> tuple[int, int] | None:
    if value is None:
        return None
    width, _, height = value.lower().partition("x")
    if not (width.isdigit() and height.isdigit() and int(width) and int(height)):
        raise click.BadParameter(f"{value!r}: width and height in pixels, like 1280x720")
    return int(width), int(height)


_OWN = (
    click.option(
        "--realtime",
        is_flag=True,
        help="Play a video at the speed of recording, dropping frames as a camera does.",
    ),
    click.option("--watch", is_flag=True, help="Watch a folder and classify new images."),
    click.option(
        "--size",
        metavar="WxH",
        callback=_size,
        help="Frame size to request of a USB or Pi camera, such as 1280x720.",
    ),
    click.option(
        "--timeout",
        default=5.0,
        show_default=True,
        type=click.FloatRange(min=0.1),
        help="Seconds to wait for a frame or a connection before connecting again.",
    ),
    click.option(
        "--frozen-after",
        default=10.0,
        show_default=True,
        type=click.FloatRange(min=0),
        help="Seconds of identical frames that count as a frozen camera; 0 for never.",
    ),
    click.option(
        "--max-fps",
        type=click.FloatRange(min=0, min_open=True),
        help="Limit of frames that are classified a second.",
    ),
    click.option(
        "--max-frames",
        type=click.IntRange(min=1),
        help="Number of frames to classify before the run ends.",
    ),
    click.option(
        "--duration",
        type=click.FloatRange(min=0, min_open=True),
        help="Seconds to classify before the run ends.",
    ),
)


def live_options(function: _Function) -> _Function:
    """Give `function` all options of a live run: here its parts bring theirs together."""
    function = decision_options(sink_options(web_options(function)))
    for option in reversed(_OWN):
        function = option(function)
    return function


def live_parameters() -> list[click.Parameter]:
    """Return the options of a live run, in their order."""
    return click.command("live")(live_options(lambda **_: None)).params


def open_decider(spec: ModelSpec, *, threshold: float, values: dict[str, Any]) -> Decides:
    """Return what makes a steady label, from the values of the options."""
    config = decision_config(
        DecisionOptions.of(values),
        threshold=threshold,
        thresholds=spec.thresholds,
        scene=not values["watch"],
    )
    return Decider(spec.labels, config)


def open_view(
    classifier: Classifier, *, title: str, threshold: float, values: dict[str, Any]
) -> WebView | None:
    """Return the web page, if it was asked for."""
    if values["serve"] is None:
        return None
    spec = classifier.spec
    config = decision_config(
        DecisionOptions.of(values), threshold=threshold, thresholds=spec.thresholds
    )
    thresholds = dict.fromkeys(spec.labels, config.threshold) | dict(config.class_thresholds)
    return open_web(
        values["serve"],
        values["token"],
        classify=lambda rgb: classifier.classify(
            rgb, top=len(spec.labels), threshold=threshold, heatmap=spec.heatmap is not None
        ),
        labels=spec.labels,
        heatmap=spec.heatmap is not None,
        input_hw=spec.input_hw,
        resize=spec.resize,
        thresholds={label: value for label, value in thresholds.items() if value},
        title=title,
    )


def loop_config(values: dict[str, Any], *, top: int, threshold: float) -> LoopConfig:
    """Return how the loop goes, from the values of the options."""
    return LoopConfig(
        top=top,
        threshold=threshold,
        max_fps=values["max_fps"],
        max_frames=values["max_frames"],
        duration_s=values["duration"],
    )


def patience(values: dict[str, Any]) -> Patience:
    """Return how long a camera is waited for, from the values of the options."""
    return Patience(
        deadline_s=values["timeout"],
        stale_s=min(1.0, values["timeout"] / 2),
        frozen_s=values["frozen_after"],
    )
