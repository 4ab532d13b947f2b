"""The tables of an evaluation, for the page and the model card alike."""

from typing import Any

from ...models.metrics.registry import CALIBRATION_ERROR
from ...models.report.figures import NONE, figure, number, share
from ...models.report.table import Table
from ..evaluation.evaluate import LOG_LOSS, Evaluation


def classes_table(evaluation: Evaluation) -> Table:
    """Return how each class fares."""
    curves = {one.label: one for one in evaluation.curves}
    rows = []
    for one, precision in zip(evaluation.metrics.classes, evaluation.precisions, strict=True):
        curve = curves.get(one.label)
        rows.append(
            [
                one.label,
                str(one.images),
                figure(one.recall),
                figure(precision),
                share(one.f1, images=one.images),
                share(curve.auc if curve else None, images=one.images),
                share(curve.average_precision if curve else None, images=one.images),
            ]
        )
    header = ["class", "images", "recall", "precision", "F1", "AUC", "AP"]
    note = "AUC and AP are of the class against the rest, over all thresholds."
    return Table("Classes", header, rows, note)


def mistakes_table(evaluation: Evaluation, labels: tuple[str, ...], *, at_most: int) -> Table:
    """Return the mistakes that are made most often."""
    wrong = evaluation.guess != evaluation.truth
    pairs: dict[tuple[str, str], int] = {}
    for truth, guess in zip(evaluation.truth[wrong], evaluation.guess[wrong], strict=True):
        pair = labels[truth], labels[guess]
        pairs[pair] = pairs.get(pair, 0) + 1
    most = sorted(pairs.items(), key=lambda item: -item[1])[:at_most]
    rows = [[truth, guess, str(images)] for (truth, guess), images in most]
    return Table("Most frequent mistakes", ["truth", "called", "images"], rows)


def calibration_table(evaluation: Evaluation) -> Table:
    """Return how honest the scores are, with and without the temperature."""
    rows = [
        [name, number(value, ".2f"), figure(score.error), figure(score.log_loss)]
        for name, value, score in (
            ("as trained", 1.0, evaluation.before),
            ("calibrated", evaluation.temperature.value, evaluation.after),
        )
    ]
    note = "Of the same images, the temperature saves "
    note += f"{figure(evaluation.log_loss_saved)} {LOG_LOSS.unit} of {LOG_LOSS.title}."
    header = ["scores", "temperature", CALIBRATION_ERROR.heading, LOG_LOSS.heading]
    return Table("Calibration", header, rows, note)


def thresholds_table(evaluation: Evaluation) -> Table:
    """Return what each class's threshold does; no rows without thresholds."""
    rows = [
        [
            one.label,
            number(one.threshold, ".3f"),
            f"{share(one.val_recall, images=one.val_images)} of {one.val_images}",
            figure(one.recall),
            figure(one.precision),
            figure(one.named),
        ]
        for one in evaluation.thresholds
    ]
    header = [
        "class", "threshold", "recall, validation", "recall, test", "precision, test",
        "named by run",
    ]  # fmt: skip
    note = (
        "An image may reach the thresholds of several classes: edgeclf run names the best of them, "
        "and unknown where none is reached."
    )
    return Table("Thresholds", header, rows, note)


def pointing_table(evaluation: Evaluation) -> Table:
    """Return how the maps lie on the masks; no rows without masks."""
    rows = [
        [
            one.label or "all",
            str(one.images),
            figure(one.on_defect),
            number(one.chance, ".3f"),
            number(one.centre, ".3f"),
            figure(one.near),
            number(one.near_chance, ".3f"),
            figure(one.overlap),
        ]
        for one in evaluation.saliency.pointing
    ]
    header = ["class", "images", "on it", "by chance", "from the middle", "near it", "by chance"]
    note = (
        "Share of maps whose hottest place lies on the defect, or within 15 pixels of it, against "
        "a random point’s and that of the picture’s middle; overlap is intersection over union."
    )
    return Table("Pointing game", [*header, "overlap"], rows, note)


def left_out_table(evaluation: Evaluation) -> Table:
    """Return how well each class would be noticed if it were new; no rows where none was tried."""
    rows = [
        [one.label, str(one.images), str(one.known), figure(one.novelty), figure(one.softmax)]
        for one in evaluation.left_out
    ]
    header = ["class", "its images", "others", "AUROC of novelty", "AUROC of the best score"]
    note = (
        "Validation and test images. 0.5 is chance, and 1 tells all of them apart. The network was "
        "trained with the class; only what judges novelty was not."
    )
    return Table("A class left out", header, rows, note)


def settings_table(config: dict[str, Any], metrics: dict[str, Any]) -> Table:
    """Return how the run was trained."""
    rows = [[name, text] for name, text in settings(config, metrics)]
    return Table("", ["", ""], rows)


def settings(config: dict[str, Any], metrics: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the settings of a training by name."""
    if config.get("distill"):
        config = config | {"groups": "the teacher's"}
    found = [
        (name.replace("_", " "), _setting_text(value))
        for name, value in config.items()
        if name not in {"edgeclf_version", "phases", "channels"}
    ]
    for phase in config.get("phases", []):
        found.append(("phase", _setting_text(phase).removeprefix("name ")))
    best = metrics.get("best_epoch")
    if best:
        found.append(("best epoch", f"{best.get('phase')} {best.get('epoch')}"))
    if metrics.get("interrupted"):
        found.append(("interrupted", "yes: the best epoch until then"))
    if "seconds" in metrics:
        found.append(("seconds", _setting_text(metrics["seconds"])))
    found.append(("edgeclf", str(config.get("edgeclf_version", NONE))))
    return found


def _setting_text(value: Any) -> str:
    """Return a value as text; of a path only the name, since the rest tells of the machine."""
    if isinstance(value, dict):
        return ", ".join(
            f"{key.replace('_', ' ')} {_setting_text(item)}" for key, item in value.items()
        )
    if isinstance(value, list):
        return " × ".join(_setting_text(item) for item in value)
    if isinstance(value, float):
        return f"{value:g}"
    return NONE if value is None else str(value).rpartition("/")[2]
