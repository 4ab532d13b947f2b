"""What a run says of each image, as a CSV file for a spreadsheet."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path

from ...edge_runtime.files import write_bytes
from ...edge_runtime.text import csv_cell
from ...models.metrics.scoring import ClassScores, Labels
from ...models.photographs import Photographs
from ...models.run import Run
from ..evaluation.evaluate import Evaluation

PREDICTIONS_NAME = "predictions.csv"

_COLUMNS = ("path", "split", "label", "predicted", "score", "correct")


def write_predictions(
    run: Run, evaluation: Evaluation, *, val: Photographs, test: Photographs, data: Path
) -> None:
    """Write `predictions.csv`: a row for each validation and test image.

    Args:
        run: a finished training.
        evaluation: of it.
        val: the validation images, in the order of the evaluation.
        test: the test images, the same.
        data: the folder of both.
    """
    labels = run.info.labels
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*_COLUMNS, *(csv_cell(f"score of {label}") for label in labels)])
    for split, photographs, truth, scores in (
        ("val", val, evaluation.val_truth, evaluation.val_scores),
        ("test", test, evaluation.truth, evaluation.scores),
    ):
        writer.writerows(_rows(split, photographs, truth, scores, labels=labels, data=data))
    # A file may have any bytes for a name; they come back as they were.
    write_bytes(run.folder / PREDICTIONS_NAME, text.getvalue().encode(errors="surrogateescape"))


def _rows(
    split: str,
    photographs: Photographs,
    truth: Labels,
    scores: ClassScores,
    *,
    labels: tuple[str, ...],
    data: Path,
) -> Iterator[list[str]]:
    for path, true, of_image in zip(photographs.paths, truth, scores, strict=True):
        best = int(of_image.argmax())
        yield [
            csv_cell(path.relative_to(data).as_posix()),
            split,
            csv_cell(labels[true]),
            csv_cell(labels[best]),
            f"{of_image[best]:.6f}",
            "yes" if best == true else "no",
            *(f"{score:.6f}" for score in of_image),
        ]
