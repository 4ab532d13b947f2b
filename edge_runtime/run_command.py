"""`edgeclf run`: what the model sees, frame by frame."""

import json
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from .cameras import find_camera
from .classifier import Classifier
from .command_line.accelerator import accelerator_option, say_acceleration
from .command_line.thresholds import threshold_options
from .command_line.warning import echo_warning
from .errors import EdgeclfError
from .files import check_file, check_folder, write_bytes
from .heatmap import write_heatmap
from .images import ImageError
from .prediction import (
    CSV_COLUMNS,
    UNKNOWN,
    Prediction,
    Record,
    csv_line,
    csv_row,
    error_record,
    frame_record,
    refused_text,
)
from .sources import Frame, find_files, is_video, read_frames
from .text import printable
from .tflite.interpreter import RUNTIMES, Runtime

if TYPE_CHECKING:
    from .live.options import LiveOptions
    from .live.sources.address import CameraAddress


class _Run(click.Command):
    """Learns the options of a live run only if one is given: a photograph does not wait.

    Its callback gets them as one `LiveOptions`, `live`; None where none was given.
    """

    live_options: tuple[click.Parameter, ...] = ()

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        options = [option for option in self.params if isinstance(option, click.Option)]
        known = {name for option in options for name in option.opts}
        asked = {arg.partition("=")[0] for arg in args if arg.startswith("-")}
        if not self.live_options and asked - known:
            from .live.options import live_parameters

            self.live_options = tuple(live_parameters())
            self.params += self.live_options
        rest = super().parse_args(ctx, args)
        ctx.params["live"] = None
        names = [option.name for option in self.live_options if option.name is not None]
        if names:
            from .live.options import LiveOptions

            ctx.params["live"] = LiveOptions.of(ctx.params)
            for name in names:
                del ctx.params[name]
        return rest


def _find_cameras(
    _context: click.Context, _parameter: click.Parameter, sources: tuple[str, ...]
) -> "tuple[str | CameraAddress, ...]":
    """Return each camera among the sources as its address, and names of files as they stand."""
    return tuple(find_camera(source) or source for source in sources)


@click.command(cls=_Run)
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("sources", metavar="SOURCE...", nargs=-1, required=True, callback=_find_cameras)
@click.option(
    "--json", "as_json", is_flag=True, help="Print a JSON object per image or frame, one a line."
)
@click.option(
    "--top",
    default=3,
    show_default=True,
    type=click.IntRange(min=1),
    help="Number of best classes to print.",
)
@threshold_options
@click.option(
    "--heatmap",
    "heatmaps",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Folder for a heatmap of each image; needs a MODEL converted with --heatmap.",
)
@click.option(
    "--threads",
    type=click.IntRange(min=1),
    help="Threads of an inference. [default: cores, 4 at most]",
)
@click.option(
    "--runtime",
    default="interpreter",
    show_default=True,
    type=click.Choice(RUNTIMES),
    help="Runtime of the model: LiteRT's interpreter or LiteRT's CompiledModel.",
)
@accelerator_option
def run(
    model: Path,
    sources: "tuple[str | CameraAddress, ...]",
    as_json: bool,
    top: int,
    threshold: float,
    novelty_threshold: float | None,
    heatmaps: Path | None,
    threads: int | None,
    runtime: Runtime,
    accelerator: str,
    live: "LiveOptions | None",
) -> None:
    """Classify images, folders, globs and videos with a .tflite MODEL, or watch a camera.

    \b
    edgeclf run int8.tflite photo.jpg
    edgeclf run int8.tflite photos/ 'more/*.png' clip.mp4 --json
    edgeclf run int8.tflite photos/ --csv predictions.csv --heatmap maps
    edgeclf run int8.tflite 0                       # USB; or /dev/video2
    edgeclf run int8.tflite picamera
    edgeclf run int8.tflite rtsp://user:password@camera/stream
    edgeclf run int8.tflite secret:EDGECLF_CAMERA   # the address is in that variable
    edgeclf run int8.tflite http://camera/video.mjpg --json
    edgeclf run int8.tflite inbox/ --watch
    """
    names = tuple(source for source in sources if isinstance(source, str))
    if is_live(sources, live):
        from .live.run import check_live, run_live

        checked = check_live(
            model, sources, live,
            heatmaps=heatmaps, threshold=threshold, novelty_threshold=novelty_threshold,
            threads=threads, runtime=runtime, accelerator=accelerator,
        )  # fmt: skip
        say_acceleration(checked.classifier.acceleration)
        run_live(checked, as_json=as_json, top=top)
        return
    _check_no_live_option()
    classifier = Classifier(
        model, threads=threads, novelty_threshold=novelty_threshold, runtime=runtime,
        accelerator=accelerator,
    )  # fmt: skip
    say_acceleration(classifier.acceleration)
    files = find_files(names, warn=echo_warning)
    if heatmaps is not None:
        check_folder(heatmaps)
        _check_names(files)
    csv_file = live.sinks.csv if live else None
    if csv_file is not None:
        check_file(csv_file)
    results = _Results(keeps_lines=csv_file is not None)
    for path in files:
        for record, shown in _classified(
            path, classifier, top=top, threshold=threshold, heatmaps=heatmaps
        ):
            if as_json or shown:
                click.echo(json.dumps(record, ensure_ascii=False) if as_json else shown)
            results.add(record)
    if csv_file is not None:
        write_bytes(csv_file, b"".join(results.csv_lines))
    if not as_json and results.count > len(sources):
        click.echo(results.summary(), err=True)
    if results.failures:
        raise EdgeclfError(f"{results.failures} of {len(files)} files could not be read to the end")


def is_live(sources: "Sequence[str | CameraAddress]", live: "LiveOptions | None") -> bool:
    """Tell whether `edgeclf run` watches its source, instead of classifying files."""
    is_asked = live is not None and (live.realtime or live.watch)
    return is_asked or not all(isinstance(source, str) for source in sources)


def _classified(
    path: Path, classifier: Classifier, *, top: int, threshold: float, heatmaps: Path | None
) -> Iterator[tuple[Record, str]]:
    """Yield the records of a file's frames with their lines for people."""
    width = max(len(label) for label in (*classifier.spec.labels, UNKNOWN))
    for frame in read_frames(path):
        at = time.time()
        if isinstance(frame, ImageError):
            reason = str(frame).removeprefix(f"{path}: ")
            echo_warning(str(frame))
            yield error_record(reason, source=str(path), at=at), ""
            continue
        prediction = classifier.classify(
            frame.rgb, top=top, threshold=threshold, heatmap=heatmaps is not None
        )
        if heatmaps is not None and prediction.heatmap is not None:
            seen = classifier.preprocess(frame.rgb)
            write_heatmap(heatmaps / _heatmap_name(frame), seen, prediction.heatmap)
        record = frame_record(prediction, source=frame.source, frame=frame.index, taken_at=at)
        yield record, _table_line(frame, prediction, width)


class _Results:
    """Counts of what was classified, and the lines of its table."""

    def __init__(self, *, keeps_lines: bool) -> None:
        self._keeps_lines = keeps_lines
        self.labels: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.novel: Counter[str] = Counter()
        self.failures = 0
        self.csv_lines = [csv_row(CSV_COLUMNS)]

    @property
    def count(self) -> int:
        return self.labels.total() + self.failures

    def add(self, record: Record) -> None:
        if "error" in record:
            self.failures += 1
        else:
            self.labels[record["label"]] += 1
            if record["novelty_reason"] is not None:
                self.novel[record["novelty_reason"]] += 1
            elif record["refused"] is not None:
                self.refused[record["refused"]["label"]] += 1
        if self._keeps_lines:
            self.csv_lines.append(csv_line(record))

    def summary(self) -> str:
        parts = [f"{self.labels.total()} classified: {_counts(self.labels) or 'none'}"]
        if self.novel:
            parts.append(f"unknown: {_counts(self.novel)}")
        if self.refused:
            parts.append(f"below their thresholds: {_counts(self.refused)}")
        if self.failures:
            parts.append(f"{self.failures} not read to the end")
        return "; ".join(parts)


def _counts(counter: Counter[str]) -> str:
    return ", ".join(f"{label} {count}" for label, count in counter.most_common())


def _check_no_live_option() -> None:
    context = click.get_current_context()
    assert isinstance(context.command, _Run)
    for option in context.command.live_options:
        name = option.name or ""
        if name != "csv" and context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            raise EdgeclfError(
                f"{option.opts[0]}: only for a live run: of a camera, with --realtime or with "
                "--watch"
            )


def _check_names(files: list[Path]) -> None:
    stem, count = Counter(path.stem for path in files).most_common(1)[0]
    if count > 1:
        raise EdgeclfError(
            f"{stem}.heatmap.png: {count} sources would write it; give them one at a time, with a "
            "folder each"
        )


def _heatmap_name(frame: Frame) -> str:
    path = Path(frame.source)
    number = f"#{frame.index}" if is_video(path) else ""
    return f"{path.stem}{number}.heatmap.png"


def _table_line(frame: Frame, prediction: Prediction, width: int) -> str:
    refused = prediction.refused
    remarks = [] if prediction.novelty_reason is None else [prediction.novelty_reason]
    remarks += [] if refused is None else [refused_text(refused)]
    named = {prediction.label, refused and refused.label}
    remarks += [f"{label} {score:.2f}" for label, score in prediction.top if label not in named]
    where = f"{frame.source}#{frame.index}" if is_video(Path(frame.source)) else frame.source
    return printable(
        f"{prediction.label:<{width}}  {prediction.score:.3f}  {prediction.ms:7.1f} ms  {where}"
        + (f"  ({', '.join(remarks)})" if remarks else "")
    )
