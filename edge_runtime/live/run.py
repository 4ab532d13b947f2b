"""`edgeclf run` on a camera, a video in real time, or a folder that is watched."""

import sys
from collections.abc import Callable
from pathlib import Path

import click

from ... import __version__
from ..classifier import Classifier
from ..errors import EdgeclfError
from ..model_file.spec import ModelSpec
from ..sources import is_video
from ..text import printable
from ..tflite.interpreter import Runtime
from .loop import run_loop, stop_on_signals
from .observation import FrameSource, Sink
from .options import LiveOptions
from .sinks.home_assistant import Device
from .sinks.options import open_sinks
from .sinks.queued import close_sinks
from .sinks.terminal import JsonLines, StatusLine
from .sinks.watchdog import Watchdog
from .sources.address import CameraAddress
from .web.view import WebView


def run_live(
    model: Path,
    source: CameraAddress | str,
    options: LiveOptions,
    *,
    as_json: bool,
    top: int,
    threshold: float,
    novelty_threshold: float | None,
    threads: int | None,
    runtime: Runtime,
) -> None:
    """Classify what a camera sees until it ends, a signal comes or the options say so.

    The camera is asked last: what else cannot be opened ends the run before any of its threads is
    in a library that cannot be interrupted.

    Args:
        model: the .tflite file.
        source: a camera, or the path of a video or a folder.
        options: of a live run.
        as_json: whether the terminal gets JSON.
        top: classes to list.
        threshold: a best score below it makes the label `unknown`.
        novelty_threshold: the novelty above which a scene is unknown; None for the model's.
        threads: of an inference; None for the usual.
        runtime: what computes the model.
    """
    name, open_source = _prepare(source, options)
    thresholds = dict(options.decision.class_threshold)
    classifier = Classifier(
        model,
        threads=threads,
        thresholds=thresholds,
        novelty_threshold=novelty_threshold,
        runtime=runtime,
    )
    decider = options.decider(classifier.spec, threshold=threshold)
    with stop_on_signals() as stop:
        sinks: list[Sink] = [JsonLines() if as_json else StatusLine(rewrite=sys.stdout.isatty())]
        try:
            view = options.open_view(classifier, title=model.stem, threshold=threshold)
            sinks += [each for each in (view, Watchdog.from_environment()) if each is not None]
            sinks += open_sinks(
                options.sinks,
                labels=classifier.spec.labels,
                device=_device(classifier.spec, view),
            )
            opened = open_source()
        except BaseException:
            close_sinks(sinks)
            raise
        frames = run_loop(
            opened,
            classifier,
            decider,
            sinks,
            stop=stop,
            config=options.loop_config(top=top, threshold=threshold),
            wants_heatmap=lambda: view is not None and view.wants_heatmap,
        )
    if opened.ended and not frames:
        raise EdgeclfError(f"{name}: {opened.health().reason}")


def _device(spec: ModelSpec, view: WebView | None) -> Device:
    return Device(
        model=f"{spec.architecture}, {spec.recipe}",
        version=__version__,
        url=None if view is None else view.url,
    )


def _prepare(
    source: CameraAddress | str, options: LiveOptions
) -> tuple[str, Callable[[], FrameSource]]:
    """Return the public name of a source, and what opens it; what can never work fails now."""
    if options.watch:
        from .sources.watched_folder import WatchedFolder

        if isinstance(source, CameraAddress) or not Path(source).is_dir():
            name = source.name if isinstance(source, CameraAddress) else source
            raise EdgeclfError(f"{name}: not a folder; --watch waits for images in one")
        folder, written = Path(source), options.sinks.written
        return source, lambda: WatchedFolder(folder, warn=_warn, ignored=written)
    from .sources.cameras import capture_maker
    from .sources.grabber import Grabber

    if isinstance(source, CameraAddress):
        source = source.resolved()
        name, connect = source.name, capture_maker(source, size_wh=options.size)
    elif is_video(Path(source)):
        name, connect = source, capture_maker(Path(source))
    else:
        raise EdgeclfError(f"{source}: neither a camera nor a video; --realtime plays videos")
    return name, lambda: Grabber(connect, name=name, patience=options.patience())


def _warn(line: str) -> None:
    click.echo(f"Warning: {printable(line)}", err=True)
