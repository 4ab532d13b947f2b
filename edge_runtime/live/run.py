"""`edgeclf run` on a camera, a video in real time, or a folder that is watched."""

import sys
from pathlib import Path
from typing import Any

import click

from ..classifier import Classifier
from ..errors import EdgeclfError
from ..sources import is_camera, is_video
from ..text import printable
from . import options
from .loop import run_loop, stop_on_signals
from .observation import FrameSource, Sink
from .shared_classifier import SharedClassifier
from .sinks.options import SinkOptions, open_sinks
from .sinks.terminal import JsonLines, StatusLine
from .sinks.watchdog import Watchdog


def run_live(
    model: Path,
    sources: tuple[str, ...],
    *,
    as_json: bool,
    top: int,
    threshold: float,
    threads: int | None,
    values: dict[str, Any],
) -> None:
    """Classify what a camera sees until it ends, a signal comes or the options say so.

    Args:
        model: the .tflite file.
        sources: what the user named; one.
        as_json: whether the terminal gets JSON.
        top: classes to list.
        threshold: a best score below it makes the label `unknown`.
        threads: of an inference; None for the usual.
        values: of the options that `options.live_options` gives.
    """
    name, *others = sources
    if others:
        raise EdgeclfError(
            f"{len(sources)} sources to watch: give one; another one takes another edgeclf run"
        )
    classifier = SharedClassifier(Classifier(model, threads=threads))
    config = options.loop_config(values, top=top, threshold=threshold)
    decider = options.open_decider(classifier.spec, threshold=threshold, values=values)
    with stop_on_signals() as stop:
        source = _open_source(name, values)
        view = options.open_view(classifier, title=model.stem, threshold=threshold, values=values)
        watchdog = Watchdog.from_environment()
        sinks: list[Sink] = [
            JsonLines() if as_json else StatusLine(rewrite=sys.stdout.isatty()),
            *([watchdog] if watchdog else []),
            *([view] if view else []),
            *open_sinks(SinkOptions.of(values), labels=classifier.spec.labels),
        ]
        frames = run_loop(
            source,
            classifier,
            decider,
            sinks,
            stop=stop,
            config=config,
            wants_heatmap=lambda: view is not None and view.wants_heatmap,
        )
    if source.ended and not frames:
        raise EdgeclfError(f"{name}: {source.health().reason}")


def _open_source(source: str, values: dict[str, Any]) -> FrameSource:
    if values["watch"]:
        from .sources.watched_folder import WatchedFolder

        if not Path(source).is_dir():
            raise EdgeclfError(f"{source}: not a folder; --watch waits for images in one")
        return WatchedFolder(Path(source), warn=_warn)
    if not (is_camera(source) or is_video(Path(source))):
        raise EdgeclfError(f"{source}: neither a camera nor a video; --realtime plays videos")
    from .sources.cameras import find_camera
    from .sources.grabber import Grabber

    name, connect = find_camera(source, size_wh=values["size"])
    return Grabber(connect, name=name, patience=options.patience(values))


def _warn(line: str) -> None:
    click.echo(f"Warning: {printable(line)}", err=True)
