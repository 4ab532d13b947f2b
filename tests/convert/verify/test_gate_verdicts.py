"""The gate's three verdicts: their error rates, and the number of images that would decide."""

from collections.abc import Callable
from dataclasses import asdict
from math import ceil
from types import SimpleNamespace

import numpy as np
import pytest
from click.testing import Result
from jsonschema import Draft202012Validator
from schemas import read_schema

from edgeclf.convert import command
from edgeclf.convert.verify.gate import GateResult, Limits, deciding_images, judge
from edgeclf.models.metrics.scoring import Drop, accuracy_drop
from edgeclf.models.metrics.statistics import PairedCounts, mcnemar_p

CLASSES = 6
LABELS = tuple(f"class {index}" for index in range(CLASSES))
# Of the images, each way: what a file changes that is as good as the float model.
NOISE = 0.02
FILES = 200


def drop_of(lost: int, gained: int, images: int) -> Drop:
    truth = np.zeros(images, np.intp)
    reference, guess = truth.copy(), truth.copy()
    guess[:lost] = 1
    reference[lost : lost + gained] = 1
    return accuracy_drop(truth, reference=reference, guess=guess)


def drawn_file(rng: np.random.Generator, *, images: int, loss: float) -> GateResult:
    """Judge a file on `images` of each class, of which it loses the share `loss` beyond noise."""
    truth = np.repeat(np.arange(CLASSES), images)
    draw = rng.random(len(truth))
    wrong = (truth + 1) % CLASSES
    reference = np.where(draw < NOISE, wrong, truth)
    guess = np.where(draw > 1 - NOISE - loss, wrong, truth)
    return judge(truth, reference=reference, guess=guess, labels=LABELS, limits=Limits())


def is_broken(result: GateResult, limits: Limits) -> bool:
    """Whether the measured drops alone, with one image allowed, break a limit."""
    drops = [(result.drop, limits.max_drop)]
    drops += [(drop, limits.max_class_drop) for drop in result.class_drops]
    return any(
        drop.lost - drop.gained > 1 and 100 * (drop.lost - drop.gained) > limit * drop.images
        for drop, limit in drops
    )


@pytest.mark.parametrize("images", [5, 9, 15, 30, 50, 100, 200, 500])
def test_chance_fails_few_good_files_and_passes_no_more_bad_ones(images: int) -> None:
    rng = np.random.default_rng(images)
    good = [drawn_file(rng, images=images, loss=0) for _ in range(FILES)]
    failed = sum(result.verdict == "failed" for result in good)
    broken = sum(is_broken(result, Limits()) for result in good)
    assert failed <= broken
    # A two-sided p of 0.05 for the accuracy and for all classes together, and two standard errors.
    assert failed / FILES < 0.08
    bad = [drawn_file(rng, images=images, loss=0.05) for _ in range(FILES)]
    for result in bad:
        assert result.passed == (not is_broken(result, Limits()))
    if images >= 100:
        assert sum(result.verdict == "failed" for result in bad) / FILES > 0.9


def test_two_of_nine_images_of_a_class_are_too_few_to_tell() -> None:
    truth = np.repeat(np.arange(CLASSES), [94, 21, 16, 9, 29, 28])
    guess = truth.copy()
    guess[[0, *np.flatnonzero(truth == 3)[:2]]] = 5
    result = judge(truth, reference=truth, guess=guess, labels=LABELS, limits=Limits())
    assert (result.verdict, result.passed, result.failures) == ("too_few_images", False, ())
    overall, of_class = result.undecided
    assert (overall.label, overall.images_needed) == (None, 372)
    assert of_class.label == "class 3"
    assert of_class.message.endswith(
        f": too few images to tell, the same share of about {of_class.images_needed} would"
    )


def test_a_class_fails_where_the_loss_is_too_large_for_chance_among_all_classes() -> None:
    truth = np.repeat(np.arange(CLASSES), 40)

    def judged(lost: int) -> GateResult:
        guess = truth.copy()
        guess[:lost] = 1
        limits = Limits(max_drop=100)
        return judge(truth, reference=truth, guess=guess, labels=LABELS, limits=limits)

    # p 0.016 is significant for one class, but not for one of six; 0.0078 is.
    [finding] = judged(7).undecided
    assert "McNemar p 0.016, may be chance in one of 6 classes" in finding.message
    assert judged(8).verdict == "failed"
    assert judged(8).failures[0].images_needed is None


@pytest.mark.parametrize("tests", [1, 6, 100])
@pytest.mark.parametrize(
    ("lost", "gained", "images"), [(2, 0, 9), (3, 0, 197), (5, 2, 60), (12, 9, 100), (4, 1, 50)]
)
def test_that_many_images_with_the_same_shares_decide(
    lost: int, gained: int, images: int, tests: int
) -> None:
    def p_of(needed: int) -> float:
        # Whole images, rounded for the loss: "about" is no more than this.
        counts = PairedCounts(0, ceil(lost * needed / images), gained * needed // images, 0)
        return mcnemar_p(counts)

    needed = deciding_images(drop_of(lost, gained, images), tests=tests)
    assert p_of(needed) < 0.05 / tests
    assert p_of(needed // 2) >= 0.05 / tests


@pytest.mark.parametrize(
    ("lost", "code", "line"),
    [
        ([0, 1], 0, ""),
        ([0, 4], 3, "Too few images to tell for 1 of 2 models: recipe 1; add labelled images"),
        ([4, 40], 1, "Error: 1 of 2 models failed the gate: recipe 1;"),
    ],
)
def test_each_verdict_has_its_exit_code(
    cli: Callable[..., Result],
    monkeypatch: pytest.MonkeyPatch,
    lost: list[int],
    code: int,
    line: str,
) -> None:
    truth = np.repeat(np.arange(CLASSES), 40)
    results = []
    for index, count in enumerate(lost):
        guess = truth.copy()
        guess[:count] = 1
        gate = judge(truth, reference=truth, guess=guess, labels=LABELS, limits=Limits())
        results.append(SimpleNamespace(recipe=f"recipe {index}", gate=gate))
    monkeypatch.setattr(command, "convert_with", lambda **_: (results, Limits(), CLASSES))
    monkeypatch.setattr(command, "result_table", lambda _: "table")
    monkeypatch.setattr(command, "gate_summary", lambda *_, **__: "summary")
    result = cli("convert", "run", "--out", "models", code=code)
    assert result.stderr.startswith(line)
    assert bool(result.stderr) == bool(line)


def test_a_finding_is_as_its_schema_says() -> None:
    schema = Draft202012Validator(read_schema("models/conversion")["$defs"]["finding"])
    truth = np.repeat(np.arange(CLASSES), 40)
    for lost in (4, 40):
        guess = truth.copy()
        guess[:lost] = 1
        result = judge(truth, reference=truth, guess=guess, labels=LABELS, limits=Limits())
        assert result.failures or result.undecided
        for finding in (*result.failures, *result.undecided):
            schema.validate(asdict(finding))
