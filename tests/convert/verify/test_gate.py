"""The gate: which losses fail a model, what is said of them, and which model is recommended."""

from dataclasses import replace

import numpy as np
import pytest

from edgeclf.convert.verify.gate import GateResult, Limits, judge
from edgeclf.convert.verify.summary import gate_summary, result_table
from edgeclf.convert.verify.verify import ConversionResult, Recommendation, recommend
from edgeclf.models.metrics.scoring import score_predictions

LABELS = ("good", "oil", "stain")
WRONG = {0: 1, 1: 2, 2: 0}


def gate(
    images: dict[int, int],
    *,
    lost: dict[int, int] | None = None,
    gained: dict[int, int] | None = None,
    max_drop: float = 1.0,
    max_class_drop: float = 5.0,
) -> GateResult:
    """Judge a model on `images` per class, of which it loses and gains some in each."""
    truth = np.repeat(list(images), list(images.values()))
    reference, guess = truth.copy(), truth.copy()
    for index, count in (lost or {}).items():
        guess[np.flatnonzero(truth == index)[:count]] = WRONG[index]
    for index, count in (gained or {}).items():
        reference[np.flatnonzero(truth == index)[::-1][:count]] = WRONG[index]
    return judge(
        truth,
        reference=reference,
        guess=guess,
        labels=LABELS,
        limits=Limits(max_drop=max_drop, max_class_drop=max_class_drop),
    )


def rules(result: GateResult) -> list[tuple[str, str | None]]:
    return [(one.rule, one.label) for one in (*result.failures, *result.undecided)]


def test_the_same_answers_pass_any_limit() -> None:
    result = gate({0: 10, 1: 5, 2: 1}, max_drop=0, max_class_drop=0)
    assert result.passed
    assert result.failures == ()
    assert result.worst_class is None
    assert (result.drop.points, result.drop.lost, result.drop.gained) == (0, 0, 0)
    assert 0 in result.drop.interval


def test_a_model_that_gains_passes() -> None:
    result = gate({0: 50, 1: 50, 2: 50}, gained={1: 10}, max_drop=0, max_class_drop=0)
    assert result.passed
    assert result.drop.points == pytest.approx(-100 * 10 / 150)
    assert result.worst_class is None


def test_the_limit_itself_is_allowed_and_more_is_not() -> None:
    images = {0: 100, 1: 100, 2: 100}
    assert gate(images, lost={0: 1, 1: 1, 2: 1}).passed  # 1.0 points
    result = gate(images, lost={0: 2, 1: 1, 2: 1})
    assert rules(result) == [("max_drop", None)]
    [failure] = result.undecided
    assert failure.points == pytest.approx(4 / 3)
    assert failure.limit == 1
    assert failure.one_image_decides


@pytest.mark.parametrize("limit", [0.1, 0.3, 0.7, 1.1, 2.9, 5.7])
def test_a_limit_that_is_met_exactly_is_never_broken_by_rounding(limit: float) -> None:
    lost = round(limit * 10)
    result = gate({0: 1000}, lost={0: lost}, max_drop=limit, max_class_drop=limit)
    assert result.passed
    result = gate({0: 1000}, lost={0: lost + 1}, max_drop=limit, max_class_drop=limit)
    assert ("max_drop", None) in rules(result)


def test_what_is_gained_elsewhere_counts_for_the_accuracy_but_not_for_the_class() -> None:
    result = gate({0: 100, 1: 100, 2: 100}, lost={0: 10}, gained={1: 10})
    assert result.drop.points == 0
    assert rules(result) == [("max_class_drop", "good")]
    assert result.worst_class is not None
    assert (result.worst_class.label, result.worst_class.points) == ("good", 10)


def test_one_image_alone_fails_no_model() -> None:
    result = gate({0: 20, 1: 5, 2: 5}, lost={1: 1})  # 3.3 points, and 20 of the class
    assert result.passed
    assert result.drop.points == pytest.approx(100 / 30)
    two = gate({0: 20, 1: 5, 2: 5}, lost={1: 2})
    assert rules(two) == [("max_drop", None), ("max_class_drop", "oil")]
    assert all(finding.one_image_decides for finding in two.undecided)
    assert two.undecided[1].points == 40


def test_a_limit_of_0_allows_not_even_one() -> None:
    images = {0: 20, 1: 5, 2: 5}
    assert gate(images, lost={1: 1}, max_drop=0).verdict == "failed"
    assert gate(images, lost={1: 1}, max_class_drop=0).verdict == "failed"
    assert rules(gate(images, lost={1: 1}, max_drop=0)) == [("max_drop", None)]
    assert rules(gate(images, lost={1: 1}, max_class_drop=0)) == [("max_class_drop", "oil")]


def test_a_clear_failure_does_not_rest_on_one_image() -> None:
    result = gate({0: 100, 1: 100, 2: 100}, lost={1: 20})
    assert rules(result) == [("max_drop", None), ("max_class_drop", "oil")]
    for failure in result.failures:
        assert not failure.one_image_decides
        assert "one image decides" not in failure.message
        assert "may be chance" not in failure.message


def test_the_message_says_what_the_failure_rests_on() -> None:
    [overall, of_class] = gate({0: 20, 1: 5, 2: 5}, lost={1: 2}).undecided
    assert overall.message.startswith("loses 6.67 points of accuracy, limit 1 (2 lost and 0 gained")
    assert of_class.message.startswith("loses 40.00 points of recall of 'oil', limit 5 (2 lost")
    for words in ("of 5 images", "95 % interval", "McNemar p 0.5, may be chance", "one image deci"):
        assert words in of_class.message
    assert "\n" not in of_class.message


def test_the_class_that_loses_most_is_reported_first() -> None:
    result = gate({0: 50, 1: 50, 2: 50}, lost={0: 5, 1: 15, 2: 10}, max_drop=100)
    assert [label for _, label in rules(result)] == ["oil", "stain", "good"]


def test_a_class_that_is_never_predicted_any_more() -> None:
    result = gate({0: 900, 1: 9, 2: 3}, lost={2: 3}, max_drop=100, max_class_drop=100)
    assert rules(result) == [("class_never_predicted", "stain")]
    [failure] = result.failures
    assert (failure.points, failure.limit, failure.one_image_decides) == (None, None, False)
    assert failure.message == "never predicts 'stain'; float has 3 images of it right"


def test_a_collapse_that_rests_on_one_image_says_so() -> None:
    two = gate({0: 900, 1: 9, 2: 2}, lost={2: 2}, max_drop=100, max_class_drop=100)
    [failure] = two.failures
    assert failure.one_image_decides
    assert failure.message.endswith("(one image decides)")


def test_a_class_that_float_barely_knew_is_no_collapse() -> None:
    once = gate({0: 900, 2: 1}, lost={2: 1}, max_drop=100, max_class_drop=100)
    assert once.passed
    truth = np.repeat([0, 2], [50, 5])
    never_right = judge(
        truth,
        reference=np.where(np.arange(55) < 5, 1, truth),  # float says oil of five that are good
        guess=truth,
        labels=LABELS,
        limits=Limits(),
    )
    assert never_right.passed


def test_one_class_for_all_is_reported_once() -> None:
    result = gate({0: 40, 1: 30, 2: 30}, lost={2: 30}, max_drop=100, max_class_drop=100)
    assert rules(result) == [("class_never_predicted", "stain")]
    truth = np.repeat([0, 1, 2], [40, 30, 30])
    result = judge(
        truth,
        reference=truth,
        guess=np.zeros_like(truth),
        labels=LABELS,
        limits=Limits(max_drop=100, max_class_drop=100),
    )
    assert rules(result) == [("one_class_for_all", "good")]
    assert result.failures[0].message == "calls all 100 images 'good'; float has 60 others right"


def test_a_float_model_that_knows_one_class_only_is_matched() -> None:
    truth = np.repeat([0, 1], [10, 10])
    same = np.zeros_like(truth)
    assert judge(truth, reference=same, guess=same, labels=LABELS, limits=Limits()).passed


def test_images_of_one_class_only() -> None:
    assert gate({1: 30}).passed
    assert [rule for rule, _ in rules(gate({1: 30}, lost={1: 30}))] == [
        "one_class_for_all",
        "max_drop",
        "max_class_drop",
    ]


@pytest.mark.parametrize("seed", range(5))
def test_against_plain_counting(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 3, 60)
    reference = np.where(rng.random(60) < 0.9, truth, rng.integers(0, 3, 60))
    guess = np.where(rng.random(60) < 0.8, truth, rng.integers(0, 3, 60))
    limits = Limits(max_drop=4, max_class_drop=10)
    result = judge(truth, reference=reference, guess=guess, labels=LABELS, limits=limits)

    def net(index: int | None) -> tuple[int, int]:
        chosen = [i for i in range(60) if index is None or truth[i] == index]
        before = sum(reference[i] == truth[i] for i in chosen)
        return before - sum(guess[i] == truth[i] for i in chosen), len(chosen)

    expected = []
    for rule, index, limit in [("max_drop", None, 4)] + [
        ("max_class_drop", i, 10) for i in range(3)
    ]:
        lost, images = net(index)
        if lost > 1 and lost / images * 100 > limit:
            expected.append((rule, None if index is None else LABELS[index]))
    assert sorted(rules(result), key=str) == sorted(expected, key=str)


def test_json_holds_all_of_it() -> None:
    shown = gate({0: 20, 1: 5, 2: 5}, lost={1: 2}).to_json()
    assert shown["passed"] is False
    assert shown["verdict"] == "too_few_images"
    assert shown["failures"] == []
    assert shown["undecided"][1]["rule"] == "max_class_drop"
    assert shown["undecided"][1]["label"] == "oil"
    assert shown["drop"]["label"] is None
    oil = shown["class_drops"][1]
    assert (oil["label"], oil["images"], oil["lost"], oil["points"]) == ("oil", 5, 2, 40)
    low, high = oil["interval"]
    assert -100 <= low < 40 < high <= 100


def conversion_result(
    recipe: str, *, megabytes: float = 1.0, lost: int | None = 0, images: int = 200
) -> ConversionResult:
    """Return the result of a model that loses `lost` of `images` images, or was not scored."""
    truth = np.repeat([0, 1], images // 2)
    guess = truth.copy()
    guess[: lost or 0] = 1
    result = judge(truth, reference=truth, guess=guess, labels=LABELS, limits=Limits())
    scored = lost is not None
    return ConversionResult(
        recipe=recipe,
        file=f"{recipe}.tflite",
        bytes=int(megabytes * 1e6),
        sha256="",
        float_operators={},
        delegated_parts=1,
        scores=score_predictions(truth, guess, labels=LABELS) if scored else None,
        drop_points=result.drop.points if scored else None,
        agreement=float(np.mean(guess == truth)) if scored else None,
        largest_difference=0.0,
        gate=result if scored else None,
    )


def test_full_integer_comes_before_what_is_smaller() -> None:
    models = [
        conversion_result("float32", megabytes=28),
        conversion_result("float16", megabytes=14),
        conversion_result("dynamic", megabytes=7),
        conversion_result("int8", megabytes=7.4, lost=1),
    ]
    assert recommend(models) == Recommendation(
        "int8", "int8.tflite", "7.40 MB, full integer, drop 0.5 points"
    )


def test_16_bit_activations_come_last() -> None:
    models = [conversion_result("int16x8", megabytes=7), conversion_result("float32", megabytes=28)]
    best, only = recommend(models), recommend(models[:1])
    assert best is not None
    assert best.recipe == "float32"
    assert only is not None
    assert only.reason == "7.00 MB, no fast kernels, drop 0.0 points"


def test_what_failed_is_not_recommended() -> None:
    models = [
        conversion_result("float32", megabytes=28),
        conversion_result("float16", megabytes=14),
        conversion_result("dynamic", megabytes=7),
        conversion_result("int8", megabytes=7, lost=50),
    ]
    best = recommend(models)
    assert best is not None
    assert (best.recipe, best.reason) == ("dynamic", "7.00 MB, integer weights, drop 0.0 points")
    best = recommend([models[0], models[1], models[3]])
    assert best is not None
    assert best.recipe == "float16"
    assert recommend(models[3:]) is None
    assert recommend([]) is None


def test_among_sizes_that_agree_the_smaller_loss_decides() -> None:
    first = conversion_result("int8", megabytes=7.01, lost=2)
    assert recommend([first, conversion_result("int8", megabytes=7.02, lost=1)]) == Recommendation(
        "int8", "int8.tflite", "7.02 MB, full integer, drop 0.5 points"
    )
    assert recommend([first, conversion_result("int8", megabytes=8, lost=1)]) == Recommendation(
        "int8", "int8.tflite", "7.01 MB, full integer, drop 1.0 points"
    )


def test_without_images_nothing_is_recommended() -> None:
    models = [conversion_result("int8", lost=None)]
    assert recommend(models) is None
    assert "no labelled images; add --data" in gate_summary(models, Limits(), classes=3)
    assert result_table(models).splitlines()[-1].split()[2:] == ["—", "—", "—", "—", "0", "—"]


def test_the_table_says_which_class_lost_what() -> None:
    table = result_table(
        [conversion_result("float32"), conversion_result("int8", lost=50)]
    ).splitlines()
    assert table[2].endswith("passed")
    assert table[3].endswith("FAILED")
    assert "+25 [+19, +31]" in table[3]
    assert "good +50.0" in table[3]
    assert max(map(len, table)) <= 100


def test_the_summary_names_limits_reasons_and_the_recommended() -> None:
    models = [conversion_result("float32", megabytes=28), conversion_result("int8", lost=50)]
    lines = gate_summary(models, Limits(), classes=3).splitlines()
    assert lines[0] == (
        "Gate on 200 images of 2 of 3 classes: the accuracy may lose 1 points or one image, "
        "the recall of a class 5 points or one image"
    )
    assert lines[1].startswith("int8 loses 25.00 points of accuracy, limit 1 (50 lost")
    assert lines[2].startswith("int8 loses 50.00 points of recall of 'good'")
    assert lines[3] == "Recommended: float32 (28.00 MB, float, drop 0.0 points)"
    strict = gate_summary(models, Limits(max_drop=0), classes=3)
    assert "the accuracy may lose nothing, the recall of a class 5 points" in strict
    assert gate_summary(models[1:], Limits(), classes=3).endswith("Recommended: none")


def test_the_summary_names_what_too_few_images_cannot_tell() -> None:
    models = [conversion_result("int8", lost=4)]
    lines = gate_summary(models, Limits(), classes=2).splitlines()
    assert lines[1].startswith("int8 loses 2.00 points of accuracy")
    assert lines[1].endswith("too few images to tell, the same share of about 284 would")
    assert lines[2] == "Recommended: none"
    table = result_table(models).splitlines()
    assert table[2].endswith("too few images")
    assert max(map(len, table)) <= 100


def test_a_thousand_reasons_are_not_all_printed() -> None:
    labels = tuple(f"class {index}" for index in range(100))
    truth = np.repeat(np.arange(100), 4)
    result = judge(truth, reference=truth, guess=(truth + 1) % 100, labels=labels, limits=Limits())
    assert len(result.failures) == 1
    assert len(result.undecided) == 100
    shown = gate_summary([replace(conversion_result("int8"), gate=result)], Limits(), classes=100)
    assert len(shown.splitlines()) == 8
    assert "int8 breaks 96 more limits, all in conversion.json" in shown
