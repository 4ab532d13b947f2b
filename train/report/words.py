"""What an evaluation found, in sentences."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ...models.metrics.statistics import Estimate
from ...models.report.figures import count, figure, share, value
from ..evaluation.evaluate import Evaluation
from ..evaluation.temperature import FEW_IMAGES

_STILL_FALLING = 0.05
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


def inspection_sentence(evaluation: Evaluation) -> str | None:
    """Return how many defects pass as good, and how many good ones do not; None without a good
    class or without images of either kind."""
    metrics, good = evaluation.metrics, evaluation.good
    parts = []
    images = sum(one.images for one in metrics.classes if one.label == good)
    if metrics.escape_rate:
        defects = len(evaluation.truth) - images
        escaped = round(metrics.escape_rate.value * defects)
        parts.append(
            f"Escape rate {figure(metrics.escape_rate)}: {escaped:,} of {count(defects, 'defect')} "
            f"called {good}"
        )
    if metrics.overkill:
        wasted = round(metrics.overkill.value * images)
        parts.append(
            f"overkill {figure(metrics.overkill)}: {wasted:,} of {images:,} {good} called a defect"
        )
    sentence = "; ".join(parts)
    return sentence[:1].upper() + sentence[1:] if sentence else None


def temperature_sentence(evaluation: Evaluation) -> str:
    """Return what the temperature does on the test images."""
    temperature, before, after = evaluation.temperature, evaluation.before, evaluation.after
    if not temperature.images:
        return (
            "No temperature was fitted, for want of defects to fit it on: a score of 0.5 is the "
            "threshold that good images have set, and the temperature stays 1"
        )
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
        f"the log-loss {_change(before.log_loss, after.log_loss)} (saved: {figure(saved)}); "
        f"{verdict}"
    )


def _change(before: Estimate, after: Estimate) -> str:
    return f"{value(after)} instead of {value(before)}"


def _chance(evaluation: Evaluation) -> Iterator[str]:
    """Yield a caution where the accuracy may be that of naming the most frequent class always."""
    metrics, images = evaluation.metrics, len(evaluation.truth)
    most = max(metrics.classes, key=lambda one: one.images)
    accuracy = metrics.accuracy
    if len(metrics.classes) > 1 and accuracy.interval.low <= most.images / images:
        yield (
            f"The accuracy, {figure(accuracy)}, is within chance: whoever calls every image "
            f"{most.label} is right on {most.images:,} of {images:,}, "
            f"{share(most.images / images, images=images)}."
        )


def _unfinished(history: Sequence[dict[str, str]]) -> Iterator[str]:
    """Yield a caution where the validation loss still fell when the training ended.

    In the last phase, the least loss of the last quarter must be 5 % below that of the rest: less
    is what a falling learning rate brings anyway.
    """
    losses = [
        float(row["val_loss"])
        for row in history
        if row.get("phase") == history[-1].get("phase") and row.get("val_loss")
    ]
    quarter = len(losses) // 4
    if not quarter:
        return
    before, least = min(losses[:-quarter]), min(losses[-quarter:])
    if least <= (1 - _STILL_FALLING) * before:
        yield (
            f"The validation loss was still falling when the training ended: {before:.3f} until "
            f"{count(quarter, 'epoch')} before the end, then {least:.3f}. More epochs may help."
        )


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


def cautions(evaluation: Evaluation, history: Sequence[dict[str, str]]) -> list[str]:
    """Return what should be known before the figures are believed; `history` is that of the run."""
    temperature = evaluation.temperature
    found = [*_chance(evaluation), *_unfinished(history)]
    if temperature.at_bound:
        found.append(
            "The temperature, by which logits are divided, is at its limit of "
            f"{temperature.value:.2f}: the validation images may not be like others."
        )
    if 0 < temperature.images < FEW_IMAGES:
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
