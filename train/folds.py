"""Cross-validation: as many trainings as there are folds, each tested on one of them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import click
import keras
import numpy as np
from numpy.typing import NDArray

from ..edge_runtime.command_line.table import format_table
from ..edge_runtime.errors import EdgeclfError
from ..edge_runtime.files import read_json, write_json
from ..models.metrics.accuracy import MetricsWithIntervals, measure_metrics
from ..models.metrics.records import to_json
from ..models.metrics.registry import METRICS, Metric
from ..models.metrics.statistics import Interval, bootstrap_interval
from ..models.report.figures import ends, figure, number
from ..models.run import METRICS_NAME, MODEL_NAME
from .config import RunOptions, TrainConfig
from .data.dataset import Dataset, read_dataset
from .evaluation.evaluate import Evaluation
from .training import train_on

FOLDS_NAME = "folds.json"


@dataclass(frozen=True, eq=False)
class Fold:
    """One training of a cross-validation.

    Attributes:
        run: name of its folder.
        evaluation: on its test images.
        groups: of these, each with a name; of shape (images,).
        interrupted: whether Ctrl-C ended the training early.
    """

    run: str
    evaluation: Evaluation
    groups: NDArray[np.str_]
    interrupted: bool


@dataclass(frozen=True)
class CrossValidation:
    """What the trainings of a cross-validation are worth together.

    Attributes:
        planned: number of folds.
        folds: those that are finished, in order.
        pooled: over all test images, each scored by the training that did not see it.
        by_group: of the accuracy, as `Interval`, with whole groups drawn instead of images; None
            where each image stands alone.
    """

    planned: int
    folds: tuple[Fold, ...]
    pooled: MetricsWithIntervals
    by_group: Interval | None

    def to_json(self) -> dict[str, Any]:
        """Return the content of `folds.json`."""
        return {
            "planned": self.planned,
            "folds": [_fold_json(fold) for fold in self.folds],
            "pooled": to_json(replace(self.pooled, guesses=()))
            | {"images": sum(len(fold.evaluation.truth) for fold in self.folds)},
            "accuracy_by_group": None if self.by_group is None else to_json(self.by_group),
        }

    def text(self) -> str:
        """Return the table for the terminal."""
        shown = [metric for metric in METRICS if self.pooled.estimate(metric)]
        rows = [
            _row(fold.run, len(fold.evaluation.truth), fold.evaluation.metrics, shown)
            for fold in self.folds
        ]
        images = sum(len(fold.evaluation.truth) for fold in self.folds)
        rows.append(_row("pooled", images, self.pooled, shown))
        header = ["fold", "images", *(metric.heading for metric in shown)]
        lines = [format_table(header, rows)]
        if self.by_group is not None:
            lines.append(f"Drawing groups instead of images: accuracy {ends(self.by_group)}")
        if len(self.folds) > 1:
            of_fold = [fold.evaluation.metrics.accuracy.value for fold in self.folds]
            spread = number(float(np.std(of_fold, ddof=1)), ".3f")
            lines.append(f"Standard deviation of the folds' accuracies: {spread}")
        if len(self.folds) < self.planned:
            lines.append(f"Interrupted: {len(self.folds)} of {self.planned} folds")
        return "\n".join(lines)


def train_folds(config: TrainConfig, folds: int, options: RunOptions) -> CrossValidation:
    """Train once for each fold, in `config.out/fold-1` and so on, and write `folds.json` there.

    Args:
        config: of each training; `test_fraction` does not count.
        folds: how many, at least 2.
        options: as in `run_training`; to resume is to leave out the folds that are finished.

    Raises:
        EdgeclfError: the data cannot fill the folds, or `config.out` holds a run already.
    """
    out = config.out
    if config.distill is not None:
        raise EdgeclfError(
            "--folds tests on every image, and the teacher of --distill-from has learned some of "
            "them; give one of the two"
        )
    taken = [out / MODEL_NAME]
    if not options.resume:
        taken += [out / FOLDS_NAME, *(out / _name(k) for k in range(folds))]
    found = next((path for path in taken if path.exists()), None)
    if found and not options.overwrite:
        raise EdgeclfError(f"{found} is there already; choose another --out, or add --overwrite")
    done: list[Fold] = []
    results: list[CrossValidation] = []
    for index in range(folds):
        own = replace(config, out=out / _name(index))
        dataset = read_dataset(own, fold=(index, folds))
        click.echo(f"Fold {index + 1} of {folds}")
        keras.utils.clear_session()
        evaluation = train_on(dataset, own, options)
        interrupted = bool(read_json(own.out / METRICS_NAME)["interrupted"])
        done.append(Fold(_name(index), evaluation, _groups(dataset), interrupted))
        results.append(_pool(done, planned=folds, labels=dataset.labels, good=options.good))
        write_json(out / FOLDS_NAME, results[-1].to_json())
        if interrupted:
            break
    return results[-1]


def _name(index: int) -> str:
    return f"fold-{index + 1}"


def _groups(dataset: Dataset) -> NDArray[np.str_]:
    """Return the group of each test image; one of its own where it has none."""
    return np.asarray(
        [image.group or f"\0{image.path}" for image in dataset.images if image.split == "test"]
    )


def _pool(
    folds: list[Fold], *, planned: int, labels: tuple[str, ...], good: str | None
) -> CrossValidation:
    truth = np.concatenate([fold.evaluation.truth for fold in folds])
    scores = np.concatenate([fold.evaluation.scores for fold in folds])
    groups = np.concatenate([fold.groups for fold in folds])
    return CrossValidation(
        planned=planned,
        folds=tuple(folds),
        pooled=measure_metrics(truth, scores, labels=labels, good=good),
        by_group=_by_group(scores.argmax(1) == truth, groups),
    )


def _by_group(right: NDArray[np.bool_], groups: NDArray[np.str_]) -> Interval | None:
    """Return the bootstrap interval of the accuracy over groups, as a ratio of sums."""
    names, group = np.unique(groups, return_inverse=True)
    if len(names) == len(groups):
        return None
    sizes = np.bincount(group)
    hits = np.bincount(group, weights=right)
    return bootstrap_interval(
        lambda drawn: float(hits[drawn].sum() / sizes[drawn].sum()), images=len(names)
    )


def _fold_json(fold: Fold) -> dict[str, Any]:
    metrics = fold.evaluation.metrics
    return {
        "run": fold.run,
        "images": len(fold.evaluation.truth),
        **{metric.name: to_json(metrics.estimate(metric)) for metric in METRICS},
        "temperature": fold.evaluation.temperature.value,
        "interrupted": fold.interrupted,
    }


def _row(
    name: str, images: int, metrics: MetricsWithIntervals, shown: Sequence[Metric]
) -> list[str]:
    figures = [figure(metrics.estimate(metric)) for metric in shown]
    return [name, str(images), *figures]
