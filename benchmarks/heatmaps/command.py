"""`edgeclf benchmark heatmaps`: whether heatmaps lie on the defects."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click

from ...edge_runtime.classifier import Classifier
from ...edge_runtime.command_line.option_types import FiniteRange
from ...edge_runtime.command_line.table import format_table
from ...edge_runtime.errors import EdgeclfError
from ...edge_runtime.files import check_file, write_json
from ...models.masks import MaskedImages, load_masked_images
from ...models.metrics.records import to_json
from ...models.metrics.statistics import Estimate, Interval
from ...models.photographs import Photographs, labelled_photographs, run_photographs
from ...models.pointing import CUT, TOLERANCE, choose_cut
from ...models.report.figures import figure
from ...models.run import Run, read_run
from ..measure.model_files import check_alike, names_of, read_model_file
from .scores import ModelHeatmaps, make_maps, score_model

SCHEMA = 1

_PATH = click.Path(path_type=Path)


@dataclass(frozen=True)
class HeatmapBenchmark:
    """The whole measurement.

    Attributes:
        schema: rises when a field changes meaning.
        images: photographs with a mask.
        without: photographs that have none, and were left out.
        empty: photographs whose mask marks nothing of the model's input, the same.
        tolerance: pixels of the model's input that count as near.
        chosen_on: photographs of the run's validation split that the cuts were chosen on.
        models: in the order given.
    """

    schema: int
    images: int
    without: int
    empty: int
    tolerance: float
    chosen_on: int
    models: tuple[ModelHeatmaps, ...]


@click.command(context_settings={"show_default": True})
@click.argument("models", metavar="MODEL...", nargs=-1, required=True, type=_PATH)
@click.option(
    "--masks", required=True, type=_PATH, help="Folder of masks, named as the photographs."
)
@click.option("--run", type=_PATH, help="Run whose test images are scored, alone.")
@click.option(
    "--data", type=_PATH, help="Folder of images, a subfolder per class. [default: RUN's]"
)
@click.option(
    "--tolerance",
    default=TOLERANCE,
    type=FiniteRange(min=0),
    help="Pixels from the defect that still count as a hit.",
)
@click.option(
    "--cut",
    type=FiniteRange(0, 1),
    help="Share of a map's maximum that counts as marked. [default: the best on RUN's validation "
    f"images, else {CUT}]",
)
@click.option("--json", "json_file", type=_PATH, help="JSON file to write all figures to.")
def heatmaps(
    models: tuple[Path, ...],
    masks: Path,
    run: Path | None,
    data: Path | None,
    tolerance: float,
    cut: float | None,
    json_file: Path | None,
) -> None:
    """Score the heatmaps of MODELs, converted with --heatmap, against drawn defects.

    Of each photograph that has a mask the map of its own class is made: whether its hottest place
    lies on the defect, and how the two overlap. Brackets hold intervals of 95 %.

    \b
    edgeclf benchmark heatmaps models/*.tflite --run RUN --masks masks/
    """
    if json_file:
        check_file(json_file)
    paths = tuple(dict.fromkeys(models))
    model_files = [read_model_file(path) for path in paths]
    check_alike(model_files)
    classifiers = [_open(path) for path in paths]
    first = classifiers[0].spec
    source = read_run(run) if run else None

    def load(split: str) -> MaskedImages:
        folder, photographs = _photographs(source, split, data, first.labels)
        return load_masked_images(
            photographs, folder=folder, masks=masks, size_hw=first.input_hw, rule=first.resize
        )

    scored = load("test")
    others = load("val").images if source and cut is None else ()
    results: list[ModelHeatmaps] = []
    reference = None
    for classifier, name in zip(classifiers, names_of(paths), strict=True):
        maps = make_maps(classifier, scored.images)
        reference = reference or maps
        chosen = choose_cut(make_maps(classifier, others).heatmaps, others) if others else cut
        results.append(
            score_model(
                maps,
                scored.images,
                reference=reference,
                name=name,
                recipe=classifier.spec.recipe,
                cut=CUT if chosen is None else chosen,
                tolerance=tolerance,
            )
        )
    benchmark = HeatmapBenchmark(
        schema=SCHEMA,
        images=len(scored.images),
        without=scored.without,
        empty=scored.empty,
        tolerance=tolerance,
        chosen_on=len(others),
        models=tuple(results),
    )
    click.echo("\n".join(_lines(benchmark)))
    if json_file:
        write_json(json_file, to_json(benchmark))


def _open(path: Path) -> Classifier:
    if path.is_dir():
        raise EdgeclfError(f"{path}: a folder; give .tflite files of `edgeclf convert --heatmap`")
    classifier = Classifier(path)
    if classifier.spec.heatmap is None:
        raise EdgeclfError(f"{path}: it makes no heatmaps; convert the model with --heatmap")
    return classifier


def _photographs(
    run: Run | None, split: str, data: Path | None, labels: tuple[str, ...]
) -> tuple[Path, Photographs]:
    if run is not None:
        return data or run.data, run_photographs(run, split, data=data)
    if data is None:
        raise EdgeclfError("no images to score on; add --run RUN, or --data FOLDER")
    return data, labelled_photographs(data, labels)


def _lines(benchmark: HeatmapBenchmark) -> Iterator[str]:
    near = f"within {benchmark.tolerance:g} px"
    header = ["model", "class", "images", "on defect", "chance", "centre", near, "chance", "IoU"]
    yield format_table(header, [row for model in benchmark.models for row in _rows(model)])
    first = benchmark.models[0].name
    for model in benchmark.models:
        rows, columns = model.map_hw
        how = f"chosen on {benchmark.chosen_on} other images" if benchmark.chosen_on else "set"
        share = model.map_ms / model.infer_ms
        yield (
            f"{model.name}: maps of {rows}×{columns}, cut at {model.cut:g} of the maximum ({how}); "
            f"{model.map_ms:.3f} ms a map, {share:.2%} of an inference of {model.infer_ms:.1f} ms"
        )
        if model.name != first:
            yield (
                f"{model.name} against {first}: the same hottest place in {model.same_place:.1%}, "
                f"on the defect {_points(model.difference)} points"
            )
    yield (
        f"{benchmark.images} images; {benchmark.without} without a mask and {benchmark.empty} with "
        "an empty one were left out"
    )


def _rows(model: ModelHeatmaps) -> Iterator[list[str]]:
    for score in model.scores:
        yield [
            model.name,
            "all" if score.label is None else score.label,
            str(score.images),
            figure(score.on_defect),
            f"{score.chance:.3f}",
            f"{score.centre:.3f}",
            figure(score.near),
            f"{score.near_chance:.3f}",
            figure(score.overlap),
        ]


def _points(estimate: Estimate) -> str:
    interval = Interval(100 * estimate.interval.low, 100 * estimate.interval.high)
    return figure(Estimate(100 * estimate.value, interval), sign="+", at_most=2)
