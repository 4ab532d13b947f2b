"""The model card of a run: what it is, what it was made of, and what it is not (Mitchell et al.,
Model cards for model reporting, FAT* 2019)."""

import hashlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ...edge_runtime.files import read_json, sha256_of
from ...models.data.class_folders import SPLITS
from ...models.metrics.registry import METRICS
from ...models.networks.architectures import architecture
from ...models.report.figures import count, figure
from ...models.report.markdown import escaped, markdown_table
from ...models.report.table import Table
from ...models.run import CONFIG_NAME, Run
from ..evaluation.evaluate import LOG_LOSS, Evaluation
from ..fitting.history import read_history
from . import tables
from .words import (
    cautions,
    inspection_sentence,
    temperature_sentence,
    training_warnings,
    verdict_sentence,
)

_WITHOUT_TABLE = 100  # classes, beyond which they are in metrics.json alone


def model_card(run: Run, evaluation: Evaluation, metrics: dict[str, Any], *, data: Path) -> str:
    """Return the card as Markdown; arguments as those of `page`."""
    return "\n\n".join(_blocks(run, evaluation, metrics, data)) + "\n"


def data_digest(run: Run, data: Path) -> str | None:
    """Return the SHA-256 digest of what `sha256sum` prints of the run's images, sorted by path and
    called relative to `data`; None if one is not there."""
    paths = sorted(image.path for image in run.images)
    if not all((data / path).is_file() for path in paths):
        return None
    lines = "".join(f"{sha256_of(data / path)}  {path}\n" for path in paths)
    return hashlib.sha256(lines.encode(errors="surrogateescape")).hexdigest()


def _blocks(run: Run, evaluation: Evaluation, metrics: dict[str, Any], data: Path) -> Iterator[str]:
    config = read_json(run.folder / CONFIG_NAME)
    height, width = run.info.input_hw
    yield f"# Model card: {escaped(run.data.name)}"
    yield f"**{escaped(verdict_sentence(evaluation))}.**"
    yield (
        f"An image classifier, {escaped(run.info.architecture)}, that tells "
        f"{count(len(run.info.labels), 'class', 'classes')} apart in RGB photographs of "
        f"{width} × {height} pixels (resize rule `{run.info.resize}`): "
        f"{', '.join(map(escaped, run.info.labels))}. The network names one of these for any "
        "picture; the files that edgeclf convert makes of it say unknown of what is unlike the "
        "training."
    )
    yield "**It is not a medical device**, and no figure here says that it may be used as one."
    yield "## Data"
    yield from _data(run, config, data)
    yield "## How well it does"
    yield from _figures(evaluation)
    yield "## Limits"
    yield "\n".join(f"- {escaped(limit)}" for limit in _limits(run, evaluation, metrics, data))
    yield "## Weights and their licence"
    yield weights_licence(str(config.get("weights")), run.info.architecture)
    yield "## Training"
    settings = tables.settings_table(config, metrics)
    yield from markdown_table(Table("", ["setting", "value"], settings.rows))


def _data(run: Run, config: dict[str, Any], data: Path) -> Iterator[str]:
    digest = data_digest(run, data)
    text = f"digest `{digest}`" if digest else "no digest, since not all of its images are there"
    yield (
        f"Folder `{run.data.name}`, {count(len(run.images), 'image')}, {text} (SHA-256 of what "
        "`sha256sum` prints of the images, sorted by path). Its licence is that of whoever made "
        "the photographs."
    )
    grouped = len({image.group for image in run.images if image.group})
    if grouped:
        yield f"Split by {count(grouped, 'group')}: none of them is on two sides."
    elif config.get("groups") is None:
        yield (
            "Split without groups: photographs of the same thing, if there are any, may be on both "
            "sides, and the figures below would flatter. `edgeclf data check` looks for them."
        )
    counts = Counter((image.label, image.split) for image in run.images)
    rows = [[label, *(str(counts[label, split]) for split in SPLITS)] for label in run.info.labels]
    total = Counter(image.split for image in run.images)
    rows.append(["all", *(str(total[split]) for split in SPLITS)])
    yield from markdown_table(Table("", ["class", "train", "validation", "test"], rows))


def _figures(evaluation: Evaluation) -> Iterator[str]:
    figures = [(metric, evaluation.metrics.estimate(metric)) for metric in METRICS]
    rows = [
        [metric.heading, figure(estimate)]
        for metric, estimate in (*figures, (LOG_LOSS, evaluation.after.log_loss))
        if estimate
    ]
    header = [f"on {count(len(evaluation.truth), 'test image')}", "value, 95 % interval"]
    yield from markdown_table(Table("", header, rows))
    found = [
        tables.classes_table(evaluation),
        tables.thresholds_table(evaluation),
        tables.left_out_table(evaluation),
    ]
    for table in found:
        if 0 < len(table.rows) <= _WITHOUT_TABLE:
            yield from markdown_table(table, level=3)
    if inspection := inspection_sentence(evaluation):
        yield escaped(f"{inspection}.")
    yield escaped(f"{temperature_sentence(evaluation)}. What is made of this run carries it.")


def _limits(run: Run, evaluation: Evaluation, metrics: dict[str, Any], data: Path) -> Iterator[str]:
    yield (
        "The figures are of the float model on photographs like those of the folder; another "
        "camera, light or place needs its own test. What quantization changes, edgeclf convert "
        "measures."
    )
    yield (
        "Intervals are of 95 % and take the images as independent draws; where photographs of the "
        "same thing are among them, the true ones are wider."
    )
    small = [one for one in evaluation.metrics.classes if one.images < 30]
    if small:
        text = ", ".join(f"{one.label} {one.images}" for one in small[:10])
        yield f"Few test images: {text}{', …' if len(small) > 10 else ''}."
    untested = set(run.info.labels) - {one.label for one in evaluation.metrics.classes}
    if untested:
        yield f"No test image of {', '.join(sorted(untested))}: nothing is known of it."
    yield from cautions(evaluation, read_history(run.folder))
    yield from training_warnings(metrics, data, run.data)


def weights_licence(weights: str, network: str) -> str:
    """Return what is known of the licence of the weights that a training started from."""
    if weights == "none":
        return "Trained from random weights: no one else’s weights are in it."
    imagenet = (
        "ImageNet’s images are given for non-commercial research; whether that binds weights "
        "trained on them is not settled: ask, before you sell."
    )
    if weights != "imagenet":
        name = weights.rpartition("/")[2]
        return (
            f"Started from the weights in `{name}`. Their licence is that of whoever made them, "
            f"and goes for what is made of them too. If they are ImageNet weights: {imagenet}"
        )
    if (package := architecture(network).package) is not None:
        return (
            f"Started from the ImageNet weights in {package.name}, whose licence is "
            f"{package.licence}. {imagenet}"
        )
    known = (
        "Keras’s model cards name the 3-clause BSD licence for DenseNet’s"
        if network.startswith("densenet")
        else "https://keras.io/api/applications/ links each network’s origin, which has the licence"
    )
    return f"Started from the ImageNet weights of Keras Applications. {known}. {imagenet}"
