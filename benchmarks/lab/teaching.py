"""How good two classes are that a file was taught, against a training on all images.

python -m edgeclf.benchmarks.lab.teaching MODEL --data FOLDER --groups FOLDER.groups.csv

Each pair of classes in turn is left out of a softmax regression on the features that MODEL
computes, and of its novelty; then it is taught by a few photographs. Compared are three heads.
"""

import csv
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray

from ...edge_runtime.classifier import Classifier
from ...edge_runtime.command_line.table import format_table
from ...edge_runtime.novelty.prototypes import Prototypes
from ...models.data.class_folders import scan_labelled_folder
from ...models.novelty.fit import Observed, fit_novelty
from ...models.photographs import labelled_photographs, readable_photographs
from ...train.data.split import split_images

_COUNTS = (1, 2, 5, 10)
_FRACTIONS = (0.6, 0.2, 0.2)
_STEPS, _WEIGHT_DECAY = 400, 1e-3

Floats = NDArray[np.float32]
Places = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class _Images:
    """What a file computes of images, and how they are split."""

    features: Floats
    classes: Places
    groups: Places
    parts: NDArray[np.str_]


@dataclass(frozen=True, eq=False)
class _Softmax:
    """A softmax regression on features of length 1."""

    mean: Floats
    weights: Floats  # of each channel, then the bias

    @classmethod
    def fit(cls, features: Floats, classes: Places) -> "_Softmax":
        """Train by Nesterov's accelerated gradient."""
        unit = features / np.linalg.norm(features, axis=1, keepdims=True)
        mean = unit.mean(0)
        spread = float(np.sqrt(np.square(unit - mean).sum(1).mean()))
        inputs = np.hstack([(unit - mean) / spread * 10, np.ones((len(unit), 1))])
        truth = np.eye(classes.max() + 1)[classes]
        decay = _WEIGHT_DECAY * np.append(np.ones(unit.shape[1]), 0)[:, np.newaxis]
        step = 1 / (np.linalg.norm(inputs, 2) ** 2 / 2 / len(inputs) + _WEIGHT_DECAY)
        weights = ahead = np.zeros((inputs.shape[1], truth.shape[1]))
        for number in range(_STEPS):
            slope = inputs.T @ (_softmax(inputs @ ahead) - truth) / len(inputs) + decay * ahead
            last, weights = weights, ahead - step * slope
            ahead = weights + number / (number + 3) * (weights - last)
        weights[:-1] *= 10 / spread
        return cls(mean.astype(np.float32), weights.astype(np.float32))

    def scores(self, features: Floats) -> Floats:
        """Return the scores as int8 files give them, in steps of 1/256."""
        unit = features / np.linalg.norm(features, axis=1, keepdims=True) - self.mean
        scores = _softmax(unit @ self.weights[:-1] + self.weights[-1])
        return np.asarray(np.round(scores * 256) / 256, np.float32)


def _softmax(logits: NDArray[np.floating]) -> NDArray[np.floating]:
    odds = np.exp(logits - logits.max(1, keepdims=True))
    return np.asarray(odds / odds.sum(1, keepdims=True))


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.option(
    "--data", required=True, type=click.Path(path_type=Path), help="Folder of images per class."
)
@click.option(
    "--groups", type=click.Path(path_type=Path), help="CSV file with columns path and group."
)
@click.option("--seeds", default=3, show_default=True, help="Number of splits.")
@click.option("--draws", default=2, show_default=True, help="Number of draws of taught images.")
def main(model: Path, data: Path, groups: Path | None, seeds: int, draws: int) -> None:
    """Measure what MODEL can be taught of the classes in a folder."""
    labels, images = _observe(model, data, groups)
    rows: dict[tuple[str, int], list[tuple[float, ...]]] = {}
    for seed in range(seeds):
        names = [labels[place] for place in images.classes]
        parts = split_images(names, list(map(str, images.groups)), fractions=_FRACTIONS, seed=seed)
        split = _Images(images.features, images.classes, images.groups, np.asarray(parts))
        for head, count, figures in _measure(split, seed=seed, draws=draws):
            rows.setdefault((head, count), []).append(figures)
    table = []
    for (head, count), found in rows.items():
        taught, full, old, before, new = np.asarray(found).T
        table.append([
            head, str(count), f"{taught.mean():.3f}", f"{taught.mean() / full.mean():.3f}",
            f"{(taught / full).min():.3f}", f"{before.mean():.3f}", f"{old.mean():.3f}",
            f"{new.mean():.3f}",
        ])  # fmt: skip
    header = ["head", "photographs", "balanced accuracy", "of full training", "least"]
    click.echo(format_table([*header, "old before", "old after", "new"], table))


def _observe(model: Path, data: Path, groups: Path | None) -> tuple[tuple[str, ...], _Images]:
    classifier = Classifier(model)
    labels = tuple(sorted({image.label for image in scan_labelled_folder(data).images}))
    photographs = labelled_photographs(data, labels)
    spec = classifier.spec
    pixels, read = readable_photographs(photographs, size_hw=spec.input_hw, rule=spec.resize)
    with click.progressbar(pixels, label="Features") as bar:
        features = np.asarray([classifier.observe(image).features for image in bar], np.float32)
    named: dict[str, str] = {}
    if groups is not None:
        with groups.open(encoding="utf-8", newline="") as file:
            named = {row["path"]: row["group"] for row in csv.DictReader(file)}
    paths = [path.relative_to(data).as_posix() for path in read.paths]
    numbers = np.unique([named.get(path, path) for path in paths], return_inverse=True)[1]
    classes = np.asarray([labels.index(label) for label in read.labels], np.intp)
    return labels, _Images(features, classes, numbers, np.zeros(len(paths), np.str_))


def _measure(
    images: _Images, *, seed: int, draws: int
) -> Iterator[tuple[str, int, tuple[float, ...]]]:
    tested = images.parts == "test"
    full = _Softmax.fit(images.features[~tested], images.classes[~tested])
    guess = full.scores(images.features[tested]).argmax(1)
    count = int(images.classes.max()) + 1
    for pair in itertools.combinations(range(count), 2):
        order = np.argsort([place in pair for place in range(count)], kind="stable")
        classes = np.argsort(order)[images.classes]  # the new ones come last
        truth = classes[tested]
        reference = _balanced(truth, np.argsort(order)[guess])
        for head, taught, found, before in _teach(images, classes, count - 2, seed, draws):
            old = truth < count - 2
            yield head, taught, (
                _balanced(truth, found), reference, _balanced(truth[old], found[old]), before,
                _balanced(truth[~old], found[~old]),
            )  # fmt: skip


def _teach(
    images: _Images, classes: Places, known: int, seed: int, draws: int
) -> Iterator[tuple[str, int, Places, float]]:
    """Yield what each head says of the test images, by the number of taught photographs."""
    fitted, held_out = ((images.parts == part) & (classes < known) for part in ("train", "val"))
    network = _Softmax.fit(images.features[fitted], classes[fitted])
    novelty = fit_novelty(
        *(
            Observed(
                images.features[part], network.scores(images.features[part]), classes[part],
                images.groups[part],
            )
            for part in (fitted, held_out)
        ),
        false_unknown=0.01,
    )  # fmt: skip
    tested = images.parts == "test"
    features = images.features[tested]
    scores, space = network.scores(features), novelty.space
    old = classes[tested] < known
    before = _balanced(classes[tested][old], scores[old].argmax(1))
    middles = space.class_means @ space.axes
    for draw in range(draws):
        rng = np.random.default_rng(100 * seed + draw)
        drawn = [
            rng.permutation(np.flatnonzero(~tested & (classes == place)))
            for place in (known, known + 1)
        ]
        for count in _COUNTS:
            if min(map(len, drawn)) < count:
                continue
            means = [space.offset(images.features[one[:count]]).mean(0) for one in drawn]
            prototypes = Prototypes(
                space=space, known_distance=float(np.exp(novelty.distance[0])), labels=known + 2,
                places=np.asarray([known, known + 1]), means=np.stack(means),
                views=np.asarray([count, count]),
            )  # fmt: skip
            answers = zip(features, scores, strict=True)
            shipped = [prototypes.answer(*one)[0].argmax() for one in answers]
            yield "shipped", count, np.asarray(shipped), before
            every = np.concatenate([middles, means])
            offsets = space.offset(features)
            lengths: list[tuple[str, Callable[[Floats], NDArray[np.floating]]]] = [
                ("nearest by Mahalanobis", space.squared_lengths),
                ("nearest mean", lambda one: np.square(one).sum(1)),
            ]
            for head, squared in lengths:
                nearest = [squared(every - one).argmin() for one in offsets]
                yield head, count, np.asarray(nearest), before


def _balanced(truth: Places, guess: Places) -> float:
    return float(np.mean([(guess[truth == place] == place).mean() for place in np.unique(truth)]))


if __name__ == "__main__":
    main()
