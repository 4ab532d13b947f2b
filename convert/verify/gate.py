"""The gate: whether a quantized model is as good as the float one, on the same labelled images.

It judges what was measured, not what could be proven: a limit is broken by the measured drop, and
the interval and the p-value beside it say how far that can be trusted. To wait for significance
instead would pass whatever is tried on few images.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from ...models.metrics.scoring import Drop, Labels, accuracy_drop, recall_drops

Rule = Literal["max_drop", "max_class_drop", "class_never_predicted", "one_class_for_all"]

# One image alone fails no model. Where 2 % of the images are lost and 2 % gained by chance, one
# image would fail one in six healthy classes of ten images, two images one in seventy.
_ALWAYS_ALLOWED = 1


@dataclass(frozen=True)
class Limits:
    """How much may be lost against the float model. One image is allowed, unless a limit is 0.

    Attributes:
        max_drop: of the accuracy, in percentage points.
        max_class_drop: of the recall of each class, in percentage points. The default is what the
            accuracy's 1 point becomes when a class with a fifth of the images bears all of it.
    """

    max_drop: float = 1.0
    max_class_drop: float = 5.0


@dataclass(frozen=True)
class Failure:
    """Why a model fails.

    Attributes:
        rule: the limit that it breaks, or the kind of collapse.
        label: the class; None where all images count.
        points: what it loses, in percentage points; None for a collapse.
        limit: what it may lose, in percentage points; None for a collapse.
        one_image_decides: whether it would pass with one image less.
        message: all of this in words, on one line.
    """

    rule: Rule
    label: str | None
    points: float | None
    limit: float | None
    one_image_decides: bool
    message: str


@dataclass(frozen=True)
class GateResult:
    """What the gate says of a model.

    Attributes:
        drop: accuracy lost, over all images.
        class_drops: recall lost, for each class that has images.
        failures: why it fails; empty if it passes.
    """

    drop: Drop
    class_drops: tuple[Drop, ...]
    failures: tuple[Failure, ...]

    @property
    def passed(self) -> bool:
        """Whether no limit is broken and nothing collapsed."""
        return not self.failures

    @property
    def worst_class(self) -> Drop | None:
        """The class that loses most, if any loses."""
        worst = max(self.class_drops, key=lambda drop: drop.points, default=None)
        return worst if worst and worst.points > 0 else None

    def to_json(self) -> dict[str, Any]:
        """Return the result as a JSON object."""
        return {
            "passed": self.passed,
            "failures": [asdict(failure) for failure in self.failures],
            "drop": self.drop.to_json(),
            "class_drops": [drop.to_json() for drop in self.class_drops],
        }


def judge(
    truth: Labels, *, reference: Labels, guess: Labels, labels: tuple[str, ...], limits: Limits
) -> GateResult:
    """Hold a model's top-1 classes `guess` against the float model's, `reference`.

    Args:
        truth: class indices of shape (images,), as the other two.
        reference: what the float model says.
        guess: what the quantized model says.
        labels: names of the classes.
        limits: what may be lost.
    """
    drop = accuracy_drop(truth, reference=reference, guess=guess)
    class_drops = recall_drops(truth, reference=reference, guess=guess, labels=labels)
    failures = [
        *_collapses(truth, reference, guess, labels),
        *_broken("max_drop", drop, limits.max_drop),
    ]
    for class_drop in sorted(class_drops, key=lambda drop: -drop.points):
        failures += _broken("max_class_drop", class_drop, limits.max_class_drop)
    return GateResult(drop, class_drops, tuple(failures))


def _broken(rule: Rule, drop: Drop, limit: float) -> Iterator[Failure]:
    allowed = _ALWAYS_ALLOWED if limit else 0

    def breaks(net: int) -> bool:
        return net > allowed and 100 * net / drop.images > limit

    net = drop.lost - drop.gained
    if not breaks(net):
        return
    decides = not breaks(net - 1)
    what = "accuracy" if drop.label is None else f"recall of {drop.label!r}"
    remarks = [
        f"{drop.lost} lost and {drop.gained} gained of {drop.images} images",
        f"95 % interval {drop.interval.low:+.1f} to {drop.interval.high:+.1f}",
        f"McNemar p {drop.p_value:.2g}" + ("" if drop.is_significant else ", may be chance"),
    ]
    if decides:
        remarks.append("one image decides")
    message = f"loses {drop.points:.2f} points of {what}, limit {limit:g} ({'; '.join(remarks)})"
    yield Failure(rule, drop.label, drop.points, limit, decides, message)


def _collapses(
    truth: Labels, reference: Labels, guess: Labels, labels: tuple[str, ...]
) -> Iterator[Failure]:
    """Yield what the float model can do and the other cannot at all any more."""
    right = np.bincount(truth[reference == truth], minlength=len(labels))
    called = np.bincount(guess, minlength=len(labels))
    only = int(called.argmax())
    others = int(right.sum() - right[only])
    if called[only] == len(guess) and others > _ALWAYS_ALLOWED:
        message = f"calls all {len(guess)} images {labels[only]!r}; float has {others} others right"
        yield _collapse("one_class_for_all", labels[only], others, message)
        return
    for index in np.flatnonzero((right > _ALWAYS_ALLOWED) & (called == 0)):
        images = int(right[index])
        message = f"never predicts {labels[index]!r}; float has {images} images of it right"
        yield _collapse("class_never_predicted", labels[index], images, message)


def _collapse(rule: Rule, label: str, images: int, message: str) -> Failure:
    decides = images == _ALWAYS_ALLOWED + 1
    message += " (one image decides)" if decides else ""
    return Failure(rule, label, None, None, decides, message)
