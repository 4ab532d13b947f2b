"""A run that is finished, evaluated from its folder."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from ..edge_runtime.errors import EdgeclfError
from ..edge_runtime.files import read_json
from ..edge_runtime.model_file.spec import check_good
from ..models.data.examples import Split
from ..models.good_only import is_good_only
from ..models.photographs import Photographs, readable_photographs, run_photographs
from ..models.run import METRICS_NAME, Run, read_run, write_good
from .evaluation.evaluate import Evaluation, evaluate
from .evaluation.saliency import find_masks
from .report.writing import write_evaluation


def evaluate_run(
    folder: Path,
    *,
    data: Path | None = None,
    recall: float | None = None,
    masks: Path | None = None,
    good: str | None = None,
) -> Evaluation:
    """Evaluate the run in `folder` again, and write what that leaves there.

    Args:
        folder: what `edgeclf train` left.
        data: the images' folder, if it has moved.
        recall: what thresholds shall reach of each class; None for what the run has.
        masks: of the defects in the test images; None for `DATA-masks` where that exists.
        good: the class without a defect; None for what the run has.
    """
    run = read_run(folder)
    if recall is not None and is_good_only(run.info.labels):
        raise EdgeclfError(
            "--recall: the run has seen good images only, which set its threshold; leave it out"
        )
    path = folder / METRICS_NAME
    metrics = read_json(path) if path.exists() else {}
    if not isinstance(metrics, dict):
        raise EdgeclfError(f"{path}: damaged: no JSON object; remove it")
    if good is not None:
        check_good(good, run.info.labels)
        run = replace(run, info=replace(run.info, good=good))
    root = data or run.data
    train, _ = _read(run, "train", data)
    val, val_photographs = _read(run, "val", data)
    test, photographs = _read(run, "test", data)
    masked = find_masks(
        photographs, data=root, masks=masks, size_hw=run.info.input_hw, rule=run.info.resize
    )
    evaluation = evaluate(
        run.info,
        train=train,
        val=val,
        test=test,
        photographs=photographs,
        masked=masked,
        recall=recall or run.info.calibration.recall,
    )
    if good is not None:
        write_good(folder, good)
    write_evaluation(run, evaluation, metrics, val=val_photographs, test=photographs, data=root)
    return evaluation


def _read(run: Run, split: str, data: Path | None) -> tuple[Split, Photographs]:
    pixels, photographs = readable_photographs(
        run_photographs(run, split, data=data), size_hw=run.info.input_hw, rule=run.info.resize
    )
    classes = np.asarray([run.info.labels.index(label) for label in photographs.labels], np.intp)
    return Split(pixels, classes), photographs
