"""The options of a live run, and what they become."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

import click

from ..classifier import Classifier
from ..command_line.option_types import FiniteRange, whole_number
from ..errors import EdgeclfError
from ..model_file.spec import ModelSpec
from ..teach.photographs import photographs_folder
from ..teach.teaching import Teaching
from .credentials import read_secret
from .decision_options import DecisionOptions, decision_config, decision_options
from .decisions import Decider
from .loop import LoopConfig
from .observation import Decides
from .sinks.options import SinkOptions, sink_options
from .sources.health import Patience
from .web.options import TOKEN_VARIABLE, Address, check_web, open_web, web_options
from .web.view import WebView

_Function = TypeVar("_Function", bound=Callable[..., Any])

_LARGEST_SIDE = 65_535  # of a camera's frame, in pixels
_LONGEST_TIMEOUT_S = 3600  # sockets and OpenCV take no number of seconds


@dataclass(frozen=True)
class LiveOptions:
    """What the options of a live run were set to.

    Attributes:
        realtime: whether a video is played as a camera would give it.
        watch: whether a folder is watched.
        size: width and height to request of a camera of this machine, in pixels.
        timeout: how long to wait for a frame or a connection, in seconds.
        frozen_after: how long identical frames may come, in seconds; 0 for ever.
        max_fps: the most frames to classify in a second; None for no limit.
        max_frames: how many frames to classify; None for no end.
        duration: how long to classify, in seconds; None for no end.
        serve: where the web page is served; None for nowhere.
        token: what opens the page; None for none of the user's.
        teach: the file of what the page teaches; None where it may not.
        decision: what decides a label.
        sinks: where the results go.
    """

    realtime: bool = False
    watch: bool = False
    size: tuple[int, int] | None = None
    timeout: float = 5.0
    frozen_after: float = 10.0
    max_fps: float | None = None
    max_frames: int | None = None
    duration: float | None = None
    serve: Address | None = None
    token: str | None = field(default=None, repr=False)
    teach: Path | None = None
    decision: DecisionOptions = field(default_factory=DecisionOptions)
    sinks: SinkOptions = field(default_factory=SinkOptions)

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> "LiveOptions":
        """Return what is ours of the parameters of a command, by name."""
        own = {each.name: values[each.name] for each in fields(cls) if each.name in values}
        return cls(**own, decision=DecisionOptions.of(values), sinks=SinkOptions.of(values))

    @property
    def written(self) -> tuple[Path, ...]:
        """The files and folders that are written to."""
        taught = () if self.teach is None else (self.teach, photographs_folder(self.teach))
        return (*self.sinks.written, *taught)

    def check(self) -> None:
        """Refuse what could not be opened later, such as the page without its package.

        Raises:
            EdgeclfError: names the option.
        """
        if self.serve is not None:
            check_web(self.token or read_secret(TOKEN_VARIABLE))
        elif self.teach is not None:
            raise EdgeclfError("--teach is for the web page; give --serve, too")
        self.sinks.check()

    def loop_config(self, *, top: int, threshold: float) -> LoopConfig:
        """Return how the loop goes."""
        return LoopConfig(
            top=top,
            threshold=threshold,
            max_fps=self.max_fps,
            max_frames=self.max_frames,
            duration_s=self.duration,
        )

    def patience(self) -> Patience:
        """Return how long a camera is waited for."""
        return Patience(
            deadline_s=self.timeout,
            stale_s=min(1.0, self.timeout / 2),
            frozen_s=self.frozen_after,
        )

    def decider(self, spec: ModelSpec, *, threshold: float) -> Decides:
        """Return what makes a steady label."""
        config = decision_config(
            self.decision, threshold=threshold, thresholds=spec.thresholds, scene=not self.watch
        )
        return Decider(spec.labels, config)

    def open_view(
        self,
        classifier: Classifier,
        *,
        title: str,
        threshold: float,
        teaching: Teaching | None = None,
    ) -> WebView | None:
        """Return the web page, if it was asked for."""
        if self.serve is None:
            return None
        spec = classifier.spec
        config = decision_config(self.decision, threshold=threshold, thresholds=spec.thresholds)
        thresholds = dict.fromkeys(spec.labels, config.threshold) | dict(config.class_thresholds)
        return open_web(
            self.serve,
            self.token or read_secret(TOKEN_VARIABLE),
            classify=lambda rgb: classifier.classify(
                rgb,
                top=len(classifier.spec.labels),
                threshold=threshold,
                heatmap=spec.heatmap is not None,
            ),
            labels=spec.labels,
            heatmap=spec.heatmap is not None,
            input_hw=spec.input_hw,
            resize=spec.resize,
            thresholds={label: value for label, value in thresholds.items() if value},
            title=title,
            teaching=teaching,
        )


def _size(_ctx: object, _parameter: object, value: str | None) -> tuple[int, int] | None:
    if value is None:
        return None
    sides = [whole_number(side, most=_LARGEST_SIDE) for side in value.lower().split("x")]
    if len(sides) != 2 or not sides[0] or not sides[1]:
        raise click.BadParameter(
            f"{value!r}: width and height in pixels, {_LARGEST_SIDE} at most, like 1280x720"
        )
    return sides[0], sides[1]


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
        default=LiveOptions.timeout,
        show_default=True,
        type=FiniteRange(0.1, _LONGEST_TIMEOUT_S),
        help="Seconds to wait for a frame or a connection before connecting again.",
    ),
    click.option(
        "--frozen-after",
        default=LiveOptions.frozen_after,
        show_default=True,
        type=FiniteRange(min=0),
        help="Seconds of identical frames that count as a frozen camera; 0 for never.",
    ),
    click.option(
        "--max-fps",
        type=FiniteRange(min=0, min_open=True),
        help="Limit of frames that are classified a second.",
    ),
    click.option(
        "--max-frames",
        type=click.IntRange(min=1),
        help="Number of frames to classify before the run ends.",
    ),
    click.option(
        "--duration",
        type=FiniteRange(min=0, min_open=True),
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
