"""Training and evaluation from Python; importing this loads no TensorFlow."""

from os import PathLike
from typing import TYPE_CHECKING

from ..edge_runtime.errors import EdgeclfError
from ..edge_runtime.quiet import quiet_tensorflow
from ..models.command_line import command_values
from . import command
from .config import RunOptions
from .evaluate_command import evaluate

if TYPE_CHECKING:
    from ..models.metrics.scoring import Metrics
    from .evaluation.evaluate import Evaluation

_Path = str | PathLike[str]


def train_classifier(
    data: _Path,
    *,
    out: _Path,
    arch: str | None = None,
    weights: _Path | None = None,
    epochs: int | None = None,
    head_epochs: int | None = None,
    batch_size: int | None = None,
    learning_rate: float | None = None,
    input_size: int | None = None,
    groups: _Path | None = None,
    recall: float | None = None,
    seed: int | None = None,
    overwrite: bool = False,
    resume: bool = False,
    **options: object,
) -> "Metrics":
    """Train a classifier as `edgeclf train` does, and return its scores on the test images.

    None stands for the command's default; the keywords are its options, with underscores. Progress
    goes to standard output and warnings go to standard error.

    Args:
        data: folder of images, a subfolder per class.
        out: folder of the run: model.keras, labels.txt, metrics.json, report.html and more.
        arch: name of the network, such as `densenet121`.
        weights: `imagenet`, `none`, or a weights file.
        epochs: at most so many for the whole network.
        head_epochs: at most so many for the head alone.
        batch_size: images of a step.
        learning_rate: of the whole network.
        input_size: height and width of the input, in pixels.
        groups: CSV file with the columns path, group; images of a group stay on one side.
        recall: share of each class's images, 0 to 1, that its threshold must let through.
        seed: of split, order, augmentation and initialisation.
        overwrite: whether a run in `out` is replaced.
        resume: whether an interrupted training in `out` goes on.
        **options: further options of `edgeclf train`, such as `rotation` or `distill_from`.

    Raises:
        EdgeclfError: an option or the data cannot serve, `out` holds another run, or the extra
            `train` is not installed.
    """
    named = {
        "out": out, "arch": arch, "weights": weights, "epochs": epochs,
        "head_epochs": head_epochs, "batch_size": batch_size, "learning_rate": learning_rate,
        "input_size": input_size, "groups": groups, "recall": recall, "seed": seed,
        "overwrite": overwrite, "resume": resume,
    }  # fmt: skip
    with command_values(command.train, data, options=named | options) as values:
        if values.pop("folds") is not None:
            raise EdgeclfError("folds: cross-validation is a command: edgeclf train --folds")
        done = RunOptions(**{name: values.pop(name) for name in vars(RunOptions())})
        good_only = command.take_good_only(values)
        config = command.train_config(**values)
        quiet_tensorflow()
        if good_only is not None:
            from .good_only.training import train_good_only

            return train_good_only(config, good_only, done).plain
        from .training import run_training

        return run_training(config, done)


def evaluate_run(
    run: _Path,
    *,
    data: _Path | None = None,
    recall: float | None = None,
    masks: _Path | None = None,
    good: str | None = None,
) -> "Evaluation":
    """Evaluate a run on its test images again, as `edgeclf evaluate` does.

    Temperature and thresholds are chosen on its validation images. Writes calibration.json,
    metrics.json, report.html and MODEL_CARD.md to `run`.

    Args:
        run: folder that a training left.
        data: folder of its images, if that has moved.
        recall: share of each class's images, 0 to 1, that its threshold must let through; None for
            the run's.
        masks: folder of masks of defects; None for the one beside the data, if there is one.
        good: class without a defect, for escape rate and overkill; None for the run's.

    Raises:
        EdgeclfError: `run` is no run, its images are gone, or the extra `train` is not installed.
    """
    named = {"data": data, "recall": recall, "masks": masks, "good": good}
    with command_values(evaluate, run, options=named) as values:
        quiet_tensorflow()
        from .evaluate_run import evaluate_run as evaluate_folder

        return evaluate_folder(values.pop("run"), **values)
