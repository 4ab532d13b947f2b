"""What a finished file is worth: on the validation images, which choose, and on the test images."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...edge_runtime.classifier import Classifier
from ...models.data.labelled_images import load_images
from ...models.metrics.statistics import Estimate, share_estimate
from ...models.photographs import run_photographs
from ...models.run import read_run
from ...train.evaluation.temperature import log_losses

# Half a step of 8-bit scores: a score of 0 stands for anything below.
_LEAST_SCORE = 1 / 512


@dataclass(frozen=True)
class FileScore:
    """What a file is worth on some images.

    Attributes:
        log_loss: mean negative log-likelihood, in nats.
        accuracy: with Wilson's interval.
        images: their number.
        largest_class: share of the images that are of the most frequent class, 0 to 1.
    """

    log_loss: float
    accuracy: Estimate
    images: int
    largest_class: float


def score_file(path: Path, *, run: Path, split: str) -> FileScore:
    """Return what a file is worth on the images of one side of the split.

    Args:
        path: a .tflite file.
        run: the run that it was made of.
        split: whose images it is scored on, `val` or `test`.
    """
    source = read_run(run)
    info = source.info
    photographs = run_photographs(source, split)
    # Without a progress bar of its own; the training has warned of what cannot be read.
    loaded = load_images(photographs.paths, size_hw=info.input_hw, rule=info.resize)
    labels = np.asarray(photographs.labels)[loaded.readable]
    truth = np.asarray([info.labels.index(label) for label in labels])
    classifier = Classifier(path)
    scores: NDArray[np.float32] = np.stack([classifier.scores(image) for image in loaded.pixels])
    hits = int((scores.argmax(1) == truth).sum())
    losses = log_losses(np.maximum(scores, np.float32(_LEAST_SCORE)), truth)
    return FileScore(
        log_loss=float(losses.mean()),
        accuracy=share_estimate(hits, images=len(truth)),
        images=len(truth),
        largest_class=float(np.bincount(truth).max() / len(truth)),
    )
