"""`edgeclf run`: what the model sees, frame by frame."""

import json
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from .classifier import UNKNOWN, Classifier, Prediction
from .errors import EdgeclfError
from .files import check_folder
from .heatmap import write_heatmap
from .images import ImageError
from .sources import Frame, find_files, is_camera, is_video, read_frames
from .text import printable


class _Run(click.Command):
    """Learns the options of a live run only where they can matter: a photograph does not wait."""

    knows_live = False

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        options = [option for option in self.params if isinstance(option, click.Option)]
        known = {name for option in options for name in option.opts}
        valued = {name for option in options if not option.is_flag for name in option.opts}
        asked = {arg.partition("=")[0] for arg in args if arg.startswith("-")}
        words = [arg for before, arg in pairwise(["", *args]) if before not in valued]
        if not self.knows_live and (asked - known or any(map(is_camera, words))):
            from .live.options import live_parameters

            self.params += live_parameters()
            self.knows_live = True
        return super().parse_args(ctx, args)


@click.command(cls=_Run)
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("sources", metavar="SOURCE...", nargs=-1, required=True)
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
@click.option(
    "--threshold",
    default=0.0,
    show_default=True,
    type=click.FloatRange(0, 1),
    help=f"Least score of a label; the label is `{UNKNOWN}` below.",
)
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
def run(
    model: Path,
    sources: tuple[str, ...],
    as_json: bool,
    top: int,
    threshold: float,
    heatmaps: Path | None,
    threads: int | None,
    **live: Any,
) -> None:
    """Classify images, folders, globs and videos with a .tflite MODEL, or watch a camera.

    \b
    edgeclf run int8.tflite photo.jpg
    edgeclf run int8.tflite photos/ 'more/*.png' clip.mp4 --json
    edgeclf run int8.tflite photos/ --heatmap maps
    edgeclf run int8.tflite 0                       # USB; or /dev/video2
    edgeclf run int8.tflite picamera
    edgeclf run int8.tflite rtsp://user:password@camera/stream
    edgeclf run int8.tflite http://camera/video.mjpg --json
    edgeclf run int8.tflite inbox/ --watch
    """
    if any(map(is_camera, sources)) or live.get("realtime") or live.get("watch"):
        from .live.run import run_live

        if heatmaps is not None:
            raise EdgeclfError("--heatmap writes a file for each image; not for a live run")
        run_live(
            model,
            sources,
            as_json=as_json,
            top=top,
            threshold=threshold,
            threads=threads,
            values=live,
        )
        return
    _check_no_live_option(live)
    classifier = Classifier(model, threads=threads)
    files = find_files(sources, warn=_warn)
    if heatmaps is not None:
        check_folder(heatmaps)
        _check_names(files)
    width = max(len(label) for label in (*classifier.spec.labels, UNKNOWN))
    failures = 0
    for path in files:
        for frame in read_frames(path):
            if isinstance(frame, ImageError):
                failures += 1
                _warn(str(frame))
                continue
            prediction = classifier.classify(
                frame.rgb, top=top, threshold=threshold, heatmap=heatmaps is not None
            )
            line = _json_line if as_json else _table_line
            click.echo(line(frame, prediction, width))
            if heatmaps is not None and prediction.heatmap is not None:
                seen = classifier.preprocess(frame.rgb)
                write_heatmap(heatmaps / _heatmap_name(frame), seen, prediction.heatmap)
    if failures:
        raise EdgeclfError(f"{failures} of {len(files)} files could not be read to the end")


def _warn(line: str) -> None:
    click.echo(f"Warning: {printable(line)}", err=True)


def _check_no_live_option(live: dict[str, Any]) -> None:
    context = click.get_current_context()
    for name in live:
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            raise EdgeclfError(
                f"--{name.replace('_', '-')}: only for a live run: of a camera, with --realtime "
                "or with --watch"
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


def _json_line(frame: Frame, prediction: Prediction, _width: int) -> str:
    return json.dumps(
        {
            "source": frame.source,
            "frame": frame.index,
            "label": prediction.label,
            "score": round(prediction.score, 6),
            "top": [[label, round(score, 6)] for label, score in prediction.top],
            "ms": round(prediction.ms, 3),
        },
        ensure_ascii=False,
    )


def _table_line(frame: Frame, prediction: Prediction, width: int) -> str:
    named = prediction.top[0][0] if prediction.label == UNKNOWN else prediction.label
    others = ", ".join(f"{label} {score:.2f}" for label, score in prediction.top if label != named)
    where = f"{frame.source}#{frame.index}" if is_video(Path(frame.source)) else frame.source
    return printable(
        f"{prediction.label:<{width}}  {prediction.score:.3f}  {prediction.ms:7.1f} ms  {where}"
        + (f"  ({others})" if others else "")
    )
