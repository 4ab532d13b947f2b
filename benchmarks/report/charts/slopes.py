"""The recall of each class, from the reference to a model."""

from collections.abc import Sequence
from dataclasses import dataclass

from ....models.metrics.predictions import ClassRecall
from ....models.metrics.scoring import Drop
from ....models.report.drawing import HALF, THIRD, label, line, svg
from ....models.report.markup import Markup, join, tag
from ....models.report.scales import Scale, scale_over, spread
from ...results.schema import Benchmark, Model
from .. import words

LABELLED = 10
_PLAIN = 100  # further ones would be one grey area
_TOP, _HIGH = 44, 250
_LEFT = 44
_SHORT, _LONG = 10, 24  # letters of a name, in a narrow panel and in a wide one


@dataclass(frozen=True)
class _Slope:
    before: ClassRecall
    after: ClassRecall
    drop: Drop

    @property
    def kind(self) -> str:
        if not self.drop.points:
            return "same"
        return "worse" if self.drop.points > 0 else "better"


def slopes_width(benchmark: Benchmark) -> int:
    """Return how wide the drawing is: as the names of the classes need it."""
    return THIRD if max(map(len, benchmark.data.labels)) <= _SHORT else HALF


def draw_slopes(benchmark: Benchmark, model: Model) -> Markup | None:
    """Return a slope per class, the most changed ones with their names; None for a model that is
    not held against a reference or differs in no class."""
    reference = benchmark.reference
    if not (model.against and model.metrics and reference and reference.metrics):
        return None
    slopes = [
        _Slope(before, after, drop)
        for before, after, drop in zip(
            reference.metrics.classes,
            model.metrics.classes,
            model.against.recall_drops,
            strict=True,
        )
    ]
    slopes.sort(key=lambda slope: -abs(slope.drop.points))
    changed = sum(slope.drop.points != 0 for slope in slopes)
    if not changed:
        return None
    names = min(changed, LABELLED) if len(slopes) > LABELLED else len(slopes)
    named, plain = slopes[:names], slopes[names:_PLAIN]
    y = _recalls(benchmark)
    width = slopes_width(benchmark)
    left, right = _LEFT, width - (120 if width == THIRD else 220)
    return svg(
        width,
        _TOP + _HIGH + 24,
        label(left, 18, words.shortened(reference.name, length=10), anchor="end", class_="head"),
        label(right, 18, words.shortened(model.name, length=20), class_="head"),
        line(left, _TOP - 8, left, _TOP + _HIGH + 8, class_="rule"),
        line(right, _TOP - 8, right, _TOP + _HIGH + 8, class_="rule"),
        join(_draw_slope(slope, y, left=left, right=right, faint=True) for slope in plain),
        join(_draw_slope(slope, y, left=left, right=right) for slope in reversed(named)),
        *_left_labels(named, y, x=left - 6),
        *_right_labels(named, y, x=right + 6, length=_SHORT if width == THIRD else _LONG),
        label=f"Recall of each class, from {reference.name} to {model.name}: "
        + "; ".join(_slope_text(slope) for slope in named),
    )


def _recalls(benchmark: Benchmark) -> Scale:
    """Return the axis that all panels share."""
    recalls = [
        one.recall.value
        for model in benchmark.models
        if model.metrics
        for one in model.metrics.classes
    ]
    return scale_over(recalls, start=_TOP + _HIGH, end=_TOP, margin=0.02)


def _draw_slope(
    slope: _Slope, y: Scale, *, left: float, right: float, faint: bool = False
) -> Markup:
    start, end = y(slope.before.recall.value), y(slope.after.recall.value)
    if faint:
        return tag("g", line(left, start, right, end, class_="slope"), class_="faint")
    return tag(
        "g",
        tag("title", _slope_text(slope)),
        line(left, start, right, end, class_="slope"),
        tag("circle", cx=left, cy=start, r=3.5, class_="dot"),
        tag("circle", cx=right, cy=end, r=3.5, class_="dot"),
        class_=slope.kind,
    )


def _left_labels(slopes: Sequence[_Slope], y: Scale, *, x: float) -> list[Markup]:
    # Equal recalls share a label.
    recalls = sorted({round(slope.before.recall.value, 3) for slope in slopes})
    places = spread([y(recall) for recall in recalls], gap=15, low=_TOP, high=_TOP + _HIGH)
    return [
        label(x, place + 4.5, f"{recall:.3f}", anchor="end", class_="tick")
        for recall, place in zip(recalls, places, strict=True)
    ]


def _right_labels(slopes: Sequence[_Slope], y: Scale, *, x: float, length: int) -> list[Markup]:
    at = [y(slope.after.recall.value) for slope in slopes]
    # The larger the loss, the further down among equals.
    ranks = sorted(range(len(slopes)), key=lambda i: (at[i], slopes[i].drop.points))
    places = spread([at[i] for i in ranks], gap=16, low=_TOP, high=_TOP + _HIGH)
    found: list[Markup] = []
    for i, place in zip(ranks, places, strict=True):
        slope = slopes[i]
        if abs(place - at[i]) > 4:
            found.append(line(x - 2, at[i], x + 7, place, class_="leader"))
        text = f"{slope.after.recall.value:.3f}"
        found.append(label(x + 10, place + 4.5, text, class_="tick"))
        name = words.shortened(slope.after.label, length=length)
        found.append(
            tag(
                "text",
                name,
                tag("title", _slope_text(slope)),
                x=x + 50,
                y=place + 4.5,
                class_=f"t-{slope.kind}",
            )
        )
    return found


def _slope_text(slope: _Slope) -> str:
    return (
        f"{slope.before.label}, {words.count(slope.before.images, 'image')}: "
        f"{words.value(slope.before.recall)} to {words.value(slope.after.recall)}, "
        f"lost {words.points(slope.drop)} points"
    )
