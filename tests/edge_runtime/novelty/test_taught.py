"""The head of taught classes: what it answers, and which damaged ones it refuses."""

from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pytest
from novelty_models import drawn_model

from edgeclf.edge_runtime.novelty.space import encoded
from edgeclf.edge_runtime.novelty.taught import MOST_PHOTOGRAPHS, Lesson, TaughtHead

OWN = ("good", "oil")
LABELS = (*OWN, "dust")
KNOWN = np.array([1, 2, 3, 4], np.float32)
DUST = np.array([4, 3, 2, 1], np.float32)
SURE = np.array([0.9, 0.1], np.float32)


def lesson(
    label: str = "dust", *, first: int = 0, count: int = 1, one_view: bool = False
) -> Lesson:
    digests = tuple(f"{first + place:064x}" for place in range(count))
    return Lesson(label, "2026-01-02T03:04:05Z", one_view, digests)


def head(*lessons: Lesson, features: np.ndarray = DUST[None]) -> TaughtHead:
    return TaughtHead(
        outputs=2,
        channels=4,
        lessons=lessons or (lesson(),),
        features=encoded(features, "<f2"),
        scores=encoded(np.tile(SURE, (len(features), 1)), "<f2"),
    )


def answer(taught: TaughtHead, features: np.ndarray) -> tuple[np.ndarray, float, float]:
    return taught.prototypes(drawn_model(), LABELS).answer(features, SURE)


def test_one_photograph_is_enough() -> None:
    scores, distance, share = answer(head(), DUST)
    assert scores.argmax() == 2
    assert scores.sum() == pytest.approx(1, abs=1e-6)
    assert distance == pytest.approx(0, abs=1e-2)
    novelty = drawn_model().judge(DUST, SURE, taught_distance=distance, network_share=share)
    assert not novelty.is_unknown
    assert drawn_model().judge(DUST, SURE).is_unknown


def test_what_is_far_from_it_is_answered_as_before() -> None:
    scores, _, share = answer(head(), KNOWN)
    assert share == pytest.approx(1, abs=1e-6)
    np.testing.assert_allclose(scores[:2], SURE, atol=1e-6)
    assert scores[2] < 1e-6


def test_a_class_that_the_network_knows_takes_what_is_like_its_photographs() -> None:
    taught = head(lesson("oil"))
    scores, _, _ = taught.prototypes(drawn_model(), OWN).answer(DUST, SURE)
    assert scores.shape == (2,)
    assert scores.argmax() == 1
    assert scores.sum() == pytest.approx(1, abs=1e-6)


def test_a_mean_of_few_views_is_said_to_be_nearer_than_it_is() -> None:
    near = DUST + np.array([0.2, 0, 0, 0], np.float32)
    once, often = head(), head(lesson(count=9), features=np.tile(DUST, (9, 1)))
    assert answer(once, near)[1] == pytest.approx(
        answer(often, near)[1] * (1 / 2) / (9 / 10), rel=0.1
    )


def test_frames_of_one_view_count_as_one() -> None:
    features = np.stack([DUST, DUST, DUST, KNOWN])
    one = head(lesson(count=3, one_view=True), lesson(first=3), features=features)
    each = head(lesson(count=3), lesson(first=3), features=features)
    assert [len(set(taught.views_of("dust").tolist())) for taught in (one, each)] == [2, 4]
    offset = drawn_model().space.offset(np.stack([DUST, KNOWN]))
    means = one.prototypes(drawn_model(), LABELS).means
    np.testing.assert_allclose(means[0], offset.mean(0), atol=1e-3)


def test_to_leave_a_view_out_is_not_to_have_taught_it() -> None:
    features = np.stack([DUST, DUST + 1, KNOWN])
    all_three = head(lesson(count=3), features=features).prototypes(drawn_model(), LABELS)
    two = head(lesson(count=2), features=features[:2]).prototypes(drawn_model(), LABELS)
    third = drawn_model().space.offset(KNOWN)
    left = all_three.without(0, third)
    np.testing.assert_allclose(left.means, two.means, atol=1e-3)
    assert left.views.tolist() == two.views.tolist() == [2]


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_features_that_are_no_numbers_are_nothing_that_was_taught(value: float) -> None:
    scores, distance, _ = answer(head(), np.full(4, value, np.float32))
    assert scores.tolist() == [*SURE.tolist(), 0]
    assert distance == np.inf


def test_it_is_read_as_it_was_written() -> None:
    taught = replace(head(), self_test=encoded(np.ones((2, 3)), "<f4"))
    values = {name: value for name, value in asdict(taught).items() if value is not None}
    values["lessons"] = [
        {**one, "photographs": list(one["photographs"])} for one in values["lessons"]
    ]
    assert TaughtHead.from_json(values, labels=LABELS) == taught
    assert taught.expected(3).shape == (2, 3)


@pytest.mark.parametrize(
    "change",
    [
        {"outputs": 0},
        {"outputs": 3},
        {"outputs": "2"},
        {"channels": 0},
        {"channels": 3},
        {"lessons": []},
        {"lessons": [{"label": "dust", "taught_at": "", "one_view": False, "photographs": []}]},
        {"lessons": [{"label": "", "taught_at": "", "one_view": False, "photographs": ["0" * 64]}]},
        {
            "lessons": [
                {"label": "lint", "taught_at": "", "one_view": True, "photographs": ["0" * 64]}
            ]
        },
        {"lessons": [{"label": "dust", "taught_at": "", "one_view": 1, "photographs": ["0" * 64]}]},
        {"lessons": [{"label": "dust", "taught_at": "", "one_view": True, "photographs": ["0"]}]},
        {
            "lessons": [
                {"label": "dust", "taught_at": "", "one_view": True, "photographs": 2 * ["0" * 64]}
            ]
        },
        {"features": "?"},
        {"features": encoded(np.full((1, 4), np.nan), "<f2")},
        {"features": encoded(np.zeros((2, 4)), "<f2")},
        {"scores": encoded(np.full((1, 2), np.inf), "<f2")},
        {"scores": encoded(np.zeros((1, 3)), "<f2")},
        {"self_test": encoded(np.full((2, 3), np.nan), "<f4")},
        {"self_test": encoded(np.zeros((2, 2)), "<f4")},
    ],
)
def test_a_damaged_one_is_refused(change: dict[str, Any]) -> None:
    whole = {name: value for name, value in asdict(head()).items() if value is not None}
    whole["lessons"] = [
        {**one, "photographs": list(one["photographs"])} for one in whole["lessons"]
    ]
    TaughtHead.from_json(whole, labels=LABELS)
    with pytest.raises((ValueError, KeyError, TypeError)):
        TaughtHead.from_json(whole | change, labels=LABELS)


def test_it_is_bounded() -> None:
    count = MOST_PHOTOGRAPHS + 1
    many = head(lesson(count=count), features=np.tile(DUST, (count, 1)))
    values = {name: value for name, value in asdict(many).items() if value is not None}
    values["lessons"] = [
        {**one, "photographs": list(one["photographs"])} for one in values["lessons"]
    ]
    with pytest.raises(ValueError, match="1001 taught photographs"):
        TaughtHead.from_json(values, labels=LABELS)


def test_the_discriminant_is_half_of_the_difference_of_the_distances() -> None:
    space = drawn_model().space
    mean, seen = space.offset(DUST), space.offset(np.array([2, 2, 3, 1], np.float32))
    direction, bias = space.discriminant(mean)
    others = space.class_means.mean(0) @ space.axes
    nearer = space.squared_lengths(seen - np.stack([others, mean]))
    expected = (nearer[0] - nearer[1]) / 2
    assert direction @ (seen + space.centre) + bias == pytest.approx(expected, rel=1e-3)


def test_a_mean_of_few_views_is_drawn_towards_the_other_classes() -> None:
    far = np.array([9, 1, 1, 1], np.float32)
    once = head(features=far[None]).prototypes(drawn_model(), LABELS)
    often = head(lesson(count=9), features=np.tile(far, (9, 1))).prototypes(drawn_model(), LABELS)
    space = drawn_model().space
    middle = space.class_means.mean(0) @ space.axes
    moved = [np.linalg.norm(each.centres - each.means) for each in (once, often)]
    assert moved[0] == pytest.approx(9 * moved[1], rel=0.05)
    assert moved[0] > 0
    assert np.linalg.norm(once.centres - middle) < np.linalg.norm(once.means - middle)
