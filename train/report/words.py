"""What an evaluation found, in sentences."""

import re
from pathlib import Path
from typing import Any

from ...models.metrics.statistics import Estimate
from ...models.report.figures import count, figure, value
from ..evaluation.evaluate import Evaluation
from ..evaluation.temperature import FEW_IMAGES

_FOLDERS = re.compile(r"(?<!\S)/(?:[^/\s]+/)+")


def verdict_sentence(evaluation: Evaluation) -> str:
    """Return how often the model is right, and its weakest class."""
    metrics = evaluation.metrics
    hits = sum(one.hits for one in metrics.classes)
    sentence = (
        f"Right on {hits:,} of {count(len(evaluation.truth), 'test image')}, "
        f"{figure(metrics.accuracy)}"
    )
    weakest = min(metrics.classes, key=lambda one: one.recall.value)
    if weakest.hits < weakest.images:
        sentence += f"; weakest on {weakest.label}, {weakest.hits} of {weakest.images}"
    return sentence


def temperature_sentence(evaluation: Evaluation) -> str:
    """Return what the temperature does on the test images."""
    temperature, before, after = evaluation.temperature, evaluation.before, evaluation.after
    saved = evaluation.log_loss_saved
    if saved.interval.low > 0:
        verdict = "it helps"
    elif saved.interval.high < 0:
        verdict = "it harms"
    else:
        verdict = "whether it helps, these images cannot tell"
    return (
        f"Temperature {temperature.value:.2f} of {count(temperature.images, 'validation image')}: "
        f"on the test images the calibration error is {_change(before.error, after.error)}, "
        f"the log-loss {_change(before.log_loss, after.log_loss)}; {verdict}"
    )


def _change(before: Estimate, after: Estimate) -> str:
    return f"{value(after)} instead of {value(before)}"


def training_warnings(metrics: dict[str, Any], *folders: Path) -> list[str]:
    """Return what a training warned of, with files called relative to the data `folders`, and
    others by their names: where they lie tells of the machine."""
    found = []
    for warning in metrics.get("warnings") or ():
        text = str(warning)
        for folder in folders:
            text = text.replace(f"{folder}/", "")
        found.append(_FOLDERS.sub("", text))
    return found


def cautions(evaluation: Evaluation) -> list[str]:
    """Return what should be known before the figures are believed."""
    temperature = evaluation.temperature
    found = []
    if temperature.at_bound:
        found.append(
            f"The temperature, {temperature.value:.2f}, is the furthest that is allowed: the "
            "validation images would have it further, and may not be like others."
        )
    if temperature.images < FEW_IMAGES:
        found.append(
            f"The temperature was fitted on {count(temperature.images, 'image')}; fewer than "
            f"{FEW_IMAGES} leave it largely to chance."
        )
    if evaluation.recall is not None and evaluation.recall < 1:
        needed = round(1 / (1 - evaluation.recall))
        few = [one.label for one in evaluation.thresholds if one.val_images < needed]
        if few:
            found.append(
                f"Thresholds for a recall of {evaluation.recall:g} were chosen on fewer than "
                f"{needed} images of {', '.join(few)}: there all of them had to reach it, and more "
                "could not be asked."
            )
    return found
