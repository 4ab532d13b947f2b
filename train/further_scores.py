"""Test scores beside the usual ones: of images without a near-duplicate, and of averaged copies."""

from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from ..edge_runtime.command_line.warning import echo_warning
from ..models.float_model import FloatModel
from ..models.metrics.scoring import Metrics, score_predictions
from ..models.report.figures import brief_figures, share
from ..models.run import read_run
from .config import TrainConfig
from .data.dataset import Dataset
from .evaluation.evaluate import Evaluation
from .fitting.averaging import averaged_scores


def _score(
    dataset: Dataset, guess: NDArray[np.intp], *, of: slice | NDArray[np.bool_] = slice(None)
) -> Metrics:
    truth = dataset.splits["test"].classes
    return score_predictions(truth[of], guess[of], labels=dataset.labels)


def unseen_scores(evaluation: Evaluation, dataset: Dataset) -> dict[str, Any]:
    """Return the scores on the test images of which training has seen no near-duplicate."""
    if not dataset.seen.any():
        return {}
    if dataset.seen.all():
        echo_warning("training has seen a near-duplicate of every test image")
        return {"test_unseen": None}
    unseen = _score(dataset, evaluation.guess, of=~dataset.seen)
    echo_warning(
        f"accuracy {share(unseen.accuracy, images=unseen.images)} on the {unseen.images} "
        "test images that have no near-duplicate in train, "
        f"{share(evaluation.plain.accuracy, images=evaluation.plain.images)} on all "
        f"{evaluation.plain.images}"
    )
    return {"test_unseen": unseen.to_json()}


def draw_averaged_scores(dataset: Dataset, config: TrainConfig) -> dict[str, Any]:
    """Return the test scores of the mean over several augmented copies of each image."""
    if config.test_draws == 1:
        return {}
    means = averaged_scores(
        FloatModel(read_run(config.out).info).scores,
        dataset.splits["test"].pixels,
        config=config.augment,
        draws=config.test_draws,
        seed=config.seed,
    )
    scores = _score(dataset, means.argmax(1))
    click.echo(
        f"Averaged over {config.test_draws} augmented copies of each test image, which no device "
        f"does: {brief_figures(scores)}"
    )
    return {"test_averaged": {"draws": config.test_draws, **scores.to_json()}}
