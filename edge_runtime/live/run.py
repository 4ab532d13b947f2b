"""`edgeclf run` on a camera, a video in real time, or a folder that is watched."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ... import __version__
from ..classifier import Classifier
from ..command_line.warning import echo_warning
from ..errors import EdgeclfError
from ..model_file.spec import ModelSpec
from ..sources import is_video
from ..teach.teaching import Teaching, taught_before
from ..tflite.interpreter import Runtime
from .loop import run_loop, stop_on_signals
from .observation import Decides, FrameSource, Sink
from .options import LiveOptions
from .sinks.mqtt.home_assistant import Device
from .sinks.options import open_sinks
from .sinks.queued import close_sinks
from .sinks.terminal import JsonLines, StatusLine
from .sinks.watchdog import Watchdog
from .sources.address import CameraAddress
from .web.view import WebView


@dataclass(frozen=True, eq=False)
class LiveRun:
    """A live run whose options fit together, and fit its model and its source.

    Attributes:
        classifier: the model.
        decider: makes a steady label of its scores.
        source: a camera, or the path of a video or a folder.
        options: of a live run.
        threshold: a best score below it makes the label `unknown`.
        teaching: of the file that the page teaches; None where it may not.
    """

    classifier: Classifier
    decider: Decides
    source: CameraAddress | str
    options: LiveOptions
    threshold: float
    teaching: Teaching | None = None


def check_live(
    model: Path,
    sources: Sequence[CameraAddress | str],
    live: LiveOptions | None,
    *,
    heatmaps: Path | None,
    threshold: float,
    novelty_threshold: float | None,
    threads: int | None,
    runtime: Runtime,
    accelerator: str,
) -> LiveRun:
    """Return the live run that `edgeclf run` is asked for; nothing is opened but the model.

    Args:
        model: the .tflite file.
        sources: what to watch: one.
        live: the options of a live run; None where none was given.
        heatmaps: the folder of --heatmap, which no live run has.
        threshold: a best score below it makes the label `unknown`.
        novelty_threshold: the novelty above which a scene is unknown; None for the model's.
        threads: of an inference; None for the usual.
        runtime: what computes the model.
        accelerator: as of `Classifier`.

    Raises:
        EdgeclfError: the run would end with this at its start, regardless of the camera.
    """
    options = live or LiveOptions()
    if heatmaps is not None:
        raise EdgeclfError("--heatmap writes a file for each image; not for a live run")
    if len(sources) > 1:
        raise EdgeclfError(
            f"{len(sources)} sources to watch: give one; another one takes another edgeclf run"
        )
    _check_source(sources[0], options)
    options.check()
    thresholds = dict(options.decision.class_threshold)
    classifier = Classifier(
        model if options.teach is None else taught_before(model, options.teach),
        threads=threads,
        thresholds=thresholds,
        novelty_threshold=novelty_threshold,
        runtime=runtime,
        accelerator=accelerator,
    )
    decider = options.decider(classifier.spec, threshold=threshold)
    teaching = None if options.teach is None else Teaching(classifier, options.teach)
    return LiveRun(classifier, decider, sources[0], options, threshold, teaching)


def _check_source(source: CameraAddress | str, options: LiveOptions) -> None:
    path = None if isinstance(source, CameraAddress) else Path(source)
    if options.watch:
        if path is None or not path.is_dir():
            name = source.name if isinstance(source, CameraAddress) else source
            raise EdgeclfError(f"{name}: not a folder; --watch waits for images in one")
    elif path is not None:
        if not is_video(path):
            raise EdgeclfError(f"{source}: neither a camera nor a video; --realtime plays videos")
        if not path.is_file():
            raise EdgeclfError(f"{source}: no such file")


def run_live(run: LiveRun, *, as_json: bool, top: int) -> None:
    """Classify what a camera sees until it ends, a signal comes or the options say so.

    The camera is asked last: what else cannot be opened ends the run before any of its threads is
    in a library that cannot be interrupted.

    Args:
        run: what is to be run.
        as_json: whether the terminal gets JSON.
        top: classes to list.
    """
    classifier, options, threshold = run.classifier, run.options, run.threshold
    name, open_source = _prepare(run.source, options)
    with stop_on_signals() as stop:
        sinks: list[Sink] = [JsonLines() if as_json else StatusLine(rewrite=sys.stdout.isatty())]
        try:
            title = classifier.path.stem
            view = options.open_view(
                classifier, title=title, threshold=threshold, teaching=run.teaching
            )
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
            run.decider,
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
    """Return the public name of a source that was checked, and what opens it.

    What can never work fails now: a missing package or secret.
    """
    if options.watch:
        from .sources.watched_folder import WatchedFolder

        folder, written = Path(str(source)), options.written
        return str(folder), lambda: WatchedFolder(folder, warn=echo_warning, ignored=written)
    from .sources.cameras import capture_maker
    from .sources.grabber import Grabber

    if isinstance(source, CameraAddress):
        source = source.resolved()
        name, connect = source.name, capture_maker(source, size_wh=options.size)
    else:
        name, connect = source, capture_maker(Path(source))
    return name, lambda: Grabber(connect, name=name, patience=options.patience())
