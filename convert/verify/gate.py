"""The gate: whether a quantized model is as good as the float one, on the same labelled images.

A limit is broken by the measured drop. Where such a drop may be chance, the model neither passes
nor fails: there are too few images to tell. So few good models fail, and a bad one passes no more
often than if the measured drop alone decided.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from math import ceil, sqrt
from statistics import NormalDist
from typing import Any, Literal

import numpy as np

from ...models.metrics.scoring import Drop, Labels, accuracy_drop, escape_rise, recall_drops

Rule = Literal[
    "max_drop", "max_class_drop", "max_escape_rise", "class_never_predicted", "one_class_for_all"
]
Verdict = Literal["passed", "too_few_images", "failed"]

# One image alone breaks no limit. Where 2 % of the images are lost and 2 % gained by chance, one
# image would break that of one in six healthy classes of ten images, two images one in seventy.
_ALWAYS_ALLOWED = 1
_SIGNIFICANT = 0.05


@dataclass(frozen=True)
class Limits:
    """How much may be lost against the float model. One image is allowed, unless a limit is 0.

    Attributes:
        max_drop: of the accuracy, in percentage points.
        max_class_drop: of the recall of each class, in percentage points. The default is what the
            accuracy's 1 point becomes when a class with a fifth of the images bears all of it.
        max_escape_rise: by how many percentage points the share of defects that are called good may
            rise, where a good class is named. What is good and called a defect is in the recall of
            that class.
    """

    max_drop: float = 1.0
    max_class_drop: float = 5.0
    max_escape_rise: float = 1.0


@dataclass(frozen=True)
class Finding:
    """What keeps a model from passing: a collapse, or a limit that it breaks.

    Attributes:
        rule: the limit that it breaks, or the kind of collapse.
        label: the class; None where all images count.
        points: what it loses, in percentage points; None for a collapse.
        limit: what it may lose, in percentage points; None for a collapse.
        one_image_decides: whether it would pass with one image less.
        images_needed: about how many images, of the class if there is a label, would fail the
            model if it lost the same share of them; None where it fails already.
        message: all of this in words, on one line.
    """

    rule: Rule
    label: str | None
    points: float | None
    limit: float | None
    one_image_decides: bool
    images_needed: int | None
    message: str


@dataclass(frozen=True)
class GateResult:
    """What the gate says of a model.

    Attributes:
        drop: accuracy lost, over all images.
        class_drops: recall lost, for each class that has images.
        failures: why it fails.
        undecided: limits that it breaks by what may be chance.
        escape_rise: by what the escape rate rises, as what is lost of the defects not called good;
            None without a good class, or without defects.
    """

    drop: Drop
    class_drops: tuple[Drop, ...]
    failures: tuple[Finding, ...]
    undecided: tuple[Finding, ...]
    escape_rise: Drop | None = None

    @property
    def verdict(self) -> Verdict:
        """Whether it passes, fails, or there are too few images to tell."""
        if self.failures:
            return "failed"
        return "too_few_images" if self.undecided else "passed"

    @property
    def passed(self) -> bool:
        """Whether no limit is broken, not even by chance, and nothing collapsed."""
        return self.verdict == "passed"

    @property
    def worst_class(self) -> Drop | None:
        """The class that loses most, if any loses."""
        worst = max(self.class_drops, key=lambda drop: drop.points, default=None)
        return worst if worst and worst.points > 0 else None

    def to_json(self) -> dict[str, Any]:
        """Return the result as a JSON object."""
        return {
            "verdict": self.verdict,
            "passed": self.passed,
            "failures": [asdict(finding) for finding in self.failures],
            "undecided": [asdict(finding) for finding in self.undecided],
            "drop": self.drop.to_json(),
            "class_drops": [drop.to_json() for drop in self.class_drops],
            "escape_rise": self.escape_rise and self.escape_rise.to_json(),
        }


def judge(
    truth: Labels,
    *,
    reference: Labels,
    guess: Labels,
    labels: tuple[str, ...],
    limits: Limits,
    good: str | None = None,
) -> GateResult:
    """Hold a model's top-1 classes `guess` against the float model's, `reference`.

    Args:
        truth: class indices of shape (images,), as the other two.
        reference: what the float model says.
        guess: what the quantized model says.
        labels: names of the classes.
        limits: what may be lost.
        good: the class without a defect; None without one.
    """
    drop = accuracy_drop(truth, reference=reference, guess=guess)
    class_drops = recall_drops(truth, reference=reference, guess=guess, labels=labels)
    findings = [
        *_collapses(truth, reference, guess, labels),
        *_broken("max_drop", drop, limits.max_drop, tests=1),
    ]
    for class_drop in sorted(class_drops, key=lambda drop: -drop.points):
        # Of many classes one would lose by chance: Bonferroni.
        findings += _broken(
            "max_class_drop", class_drop, limits.max_class_drop, tests=len(class_drops)
        )
    rise = None
    if good is not None and (truth != labels.index(good)).any():
        rise = escape_rise(truth, reference=reference, guess=guess, good=labels.index(good))
        findings += _broken("max_escape_rise", rise, limits.max_escape_rise, tests=1)
    failures = tuple(finding for finding in findings if finding.images_needed is None)
    undecided = tuple(finding for finding in findings if finding.images_needed is not None)
    return GateResult(drop, class_drops, failures, undecided, rise)


def deciding_images(drop: Drop, *, tests: int) -> int:
    """Return of about how many images the same shares lost and gained would be more than chance.

    By McNemar's test with the correction for continuity, so at most a few images more than by the
    exact one.

    Args:
        drop: must be above 0.
        tests: number of drops among which this one is found.
    """
    net, changed = drop.lost - drop.gained, drop.lost + drop.gained
    z = NormalDist().inv_cdf(1 - _SIGNIFICANT / tests / 2)
    # The larger root of (net * x - 1) ** 2 = z ** 2 * changed * x, in multiples x of the images.
    half = net + z**2 * changed / 2
    return max(ceil(drop.images * (half + sqrt(half**2 - net**2)) / net**2), drop.images + 1)


def _broken(rule: Rule, drop: Drop, limit: float, *, tests: int) -> Iterator[Finding]:
    allowed = _ALWAYS_ALLOWED if limit else 0

    def breaks(net: int) -> bool:
        return net > allowed and 100 * net / drop.images > limit

    net = drop.lost - drop.gained
    if not breaks(net):
        return
    decides = not breaks(net - 1)
    chance = ""
    if drop.p_value >= _SIGNIFICANT / tests:
        chance = ", may be chance" + (f" in one of {tests} classes" if drop.is_significant else "")
    # Where nothing may be lost, chance is no excuse.
    needed = deciding_images(drop, tests=tests) if chance and limit else None
    what = f"loses {drop.points:.2f} points of " + (
        "accuracy" if drop.label is None else f"recall of {drop.label!r}"
    )
    counts = f"{drop.lost} lost and {drop.gained} gained of {drop.images} images"
    if rule == "max_escape_rise":
        what = f"lets {drop.points:.2f} points more defects pass as good"
        counts = f"{drop.lost} more and {drop.gained} fewer of {drop.images} defects"
    remarks = [
        counts,
        f"95 % interval {drop.interval.low:+.1f} to {drop.interval.high:+.1f}",
        f"McNemar p {drop.p_value:.2g}{chance}",
    ]
    if decides:
        remarks.append("one image decides")
    message = f"{what}, limit {limit:g} ({'; '.join(remarks)})"
    if needed is not None:
        message += f": too few images to tell, the same share of about {needed} would"
    yield Finding(rule, drop.label, drop.points, limit, decides, needed, message)


def _collapses(
    truth: Labels, reference: Labels, guess: Labels, labels: tuple[str, ...]
) -> Iterator[Finding]:
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


def _collapse(rule: Rule, label: str, images: int, message: str) -> Finding:
    decides = images == _ALWAYS_ALLOWED + 1
    message += " (one image decides)" if decides else ""
    return Finding(rule, label, None, None, decides, None, message)
