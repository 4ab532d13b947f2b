"""The charts of a run share their colours."""

import re
from xml.etree import ElementTree

import numpy as np

from edgeclf.train.evaluation.curves import ClassCurves, class_curves
from edgeclf.train.report.charts import draw_learning, draw_precision_recall, draw_roc

LABELS = ("good", "oil", "scratch", "stain")


def curves_of(seed: int) -> tuple[ClassCurves, ...]:
    rng = np.random.default_rng(seed)
    truth = np.arange(80) % 4
    scores = rng.dirichlet(np.ones(4), size=80) + rng.random(4) * np.eye(4)[truth]
    return class_curves(truth, np.asarray(scores, np.float32), labels=LABELS)


def colours(chart: str) -> dict[str, str]:
    """The colour of the curve of each class."""
    found = {}
    for group in ElementTree.fromstring(chart).iter("g"):
        title = group.find("title")
        assert title is not None
        assert title.text
        found[title.text.partition(":")[0]] = group.get("class", "")
    return found


def test_a_class_has_one_colour_in_every_chart_and_every_report() -> None:
    weakest = set()
    for seed in range(5):
        curves = curves_of(seed)
        weakest.add(min(curves, key=lambda one: one.auc).label)
        for draw in (draw_roc, draw_precision_recall):
            assert colours(str(draw(curves))) == dict(
                zip(LABELS, ("c0", "c1", "c2", "c3"), strict=True)
            )
    assert len(weakest) > 1


def test_training_and_validation_have_no_colour_of_a_class() -> None:
    rows = [
        {"phase": "head", "epoch": str(i), "loss": f"{2 / i}", "val_loss": f"{3 / i}"}
        for i in range(1, 5)
    ]
    chart = str(draw_learning(rows, "loss", best=("head", "4")))
    classes = set(re.findall(r'class="([^"]*)"', chart))
    assert {"curve trained", "curve ref"} <= classes
    assert not [name for each in classes for name in each.split() if re.fullmatch(r"c\d", name)]
