"""`edgeclf benchmark novelty`: whether a model knows what it does not know."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from importlib import import_module
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray

from ...edge_runtime.classifier import Classifier
from ...edge_runtime.command_line.table import format_table
from ...edge_runtime.errors import EdgeclfError
from ...edge_runtime.files import check_folder, write_json, write_text
from ...edge_runtime.model_file.spec import ModelSpec
from ...models.metrics.detection import group_numbers
from ...models.metrics.records import to_json
from ...models.photographs import (
    Photographs,
    folder_photographs,
    labelled_photographs,
    load_photographs,
    readable_photographs,
    run_groups,
    run_photographs,
)
from ...models.report.figures import figure
from ...models.run import read_run
from .scores import (
    SCHEMA,
    NoveltyBenchmark,
    answer,
    cells_of,
    measure_cost,
    said_text,
    score_disturbed,
    score_foreign,
    score_known,
)

_PATH = click.Path(path_type=Path)


@click.command(context_settings={"show_default": True})
@click.argument("model", type=_PATH)
@click.option(
    "--data",
    type=_PATH,
    help="Folder of known images, a subfolder per class, none of which trained MODEL. "
    "[default: RUN's]",
)
@click.option("--run", type=_PATH, help="Run whose test images are the known ones, alone.")
@click.option(
    "--foreign",
    multiple=True,
    type=_PATH,
    help="Folder of images that show none of the classes, at any depth; repeatable.",
)
@click.option("--json", "json_file", type=_PATH, help="JSON file to write all figures to.")
@click.option("--report", "report_file", type=_PATH, help="HTML file to write a page to.")
def novelty(
    model: Path,
    data: Path | None,
    run: Path | None,
    foreign: tuple[Path, ...],
    json_file: Path | None,
    report_file: Path | None,
) -> None:
    """Measure whether MODEL calls foreign images unknown, and known ones not.

    The known images are also shown to it as a camera may spoil them. Brackets hold intervals of
    95 %; that of the known ones counts a draw for each group.

    \b
    edgeclf benchmark novelty int8.tflite --run RUN --foreign other-parts --foreign hands
    """
    for file in (json_file, report_file):
        if file:
            check_folder(file.parent)
    if report_file:
        import_module(".page", __package__)  # refuses a report without Jinja2
    classifier = Classifier(model)
    knowing = classifier.spec.novelty
    if knowing is None:
        raise EdgeclfError(
            f"{model}: it cannot tell what is unlike its training; convert its run again, with "
            "--novelty"
        )
    pixels, groups = _known(run, data, classifier.spec)
    known = answer(classifier, pixels, name="known images")
    others = [(folder.name, _foreign(folder, classifier.spec)) for folder in dict.fromkeys(foreign)]
    infer_ms, judge_ms = measure_cost(classifier, pixels)
    limit = knowing.limit
    benchmark = NoveltyBenchmark(
        schema=SCHEMA,
        name=model.name,
        recipe=classifier.spec.recipe,
        threshold=knowing.threshold,
        known=score_known(known, groups, limit=limit),
        foreign=tuple(
            score_foreign(known, answer(classifier, images, name=name), name=name, limit=limit)
            for name, images in others
        ),
        disturbed=score_disturbed(classifier, pixels, known, limit=limit),
        infer_ms=infer_ms,
        judge_ms=judge_ms,
        model_bytes=len(json.dumps(asdict(knowing))),
    )
    click.echo("\n".join(_lines(benchmark)))
    if json_file:
        write_json(json_file, to_json(benchmark))
    if report_file:
        from .page import novelty_page

        write_text(report_file, novelty_page(benchmark))


def _known(
    run: Path | None, data: Path | None, spec: ModelSpec
) -> tuple[NDArray[np.uint8], NDArray[np.intp]]:
    """Return the pixels of the known images, and their groups."""
    groups: dict[Path, str] = {}
    if run is not None:
        source = read_run(run)
        photographs = run_photographs(source, "test", data=data)
        groups = run_groups(source, "test", data=data)
    elif data is not None:
        photographs = labelled_photographs(data, spec.labels)
    else:
        raise EdgeclfError("no known images; add --run RUN, or --data FOLDER")
    pixels, read = readable_photographs(photographs, size_hw=spec.input_hw, rule=spec.resize)
    return pixels, group_numbers([groups.get(path, "") for path in read.paths])


def _foreign(folder: Path, spec: ModelSpec) -> NDArray[np.uint8]:
    photographs: Photographs = folder_photographs(folder)
    return load_photographs(photographs, size_hw=spec.input_hw, rule=spec.resize)[0]


def _lines(benchmark: NoveltyBenchmark) -> Iterator[str]:
    header = ["images", "number", "AUROC", "AUROC of softmax", "unknown", "said"]
    rows = [cells_of(one) for one in (*benchmark.foreign, *benchmark.disturbed)]
    known = benchmark.known
    first = ["known", str(known.images), "", "", figure(known.unknown), said_text(known.said)]
    yield format_table(header, [first, *rows])
    share = benchmark.judge_ms / benchmark.infer_ms
    yield (
        f"{benchmark.name}: unknown above a novelty of {benchmark.threshold:g}; known images in "
        f"{known.groups} groups; {benchmark.judge_ms:.3f} ms to judge, {share:.1%} of an inference "
        f"of {benchmark.infer_ms:.1f} ms; {benchmark.model_bytes / 1e6:.2f} MB of the file"
    )
