"""What images look like, and what is said of one that looks like none that is known."""

import json
from dataclasses import asdict, replace
from typing import Any

import cv2
import numpy as np
import pytest
from novelty_models import drawn_model

from edgeclf.benchmarks.novelty.disturbances import DISTURBANCES
from edgeclf.edge_runtime.novelty.appearance import AppearanceRange, appearance_of
from edgeclf.edge_runtime.novelty.model import NoveltyModel
from edgeclf.edge_runtime.prediction import UNLIKE, least_scores, name_best

KNOWN = np.array([1, 2, 3, 4], np.float32)
SURE = np.array([0.9, 0.1], np.float32)
LABELS = ("good", "oil")


def surface(seed: int) -> np.ndarray:
    """A grey surface with a grain and a soft shadow, 48 pixels wide."""
    rng = np.random.default_rng(seed)
    shadow = cv2.resize(rng.integers(60, 160, (3, 3)).astype(np.float32), (48, 48))
    grain = rng.normal(scale=12, size=(48, 48))
    grey = np.clip(shadow + grain, 0, 255)
    return np.repeat(grey[..., np.newaxis], 3, 2).astype(np.uint8)


@pytest.fixture(scope="module")
def known() -> AppearanceRange:
    return AppearanceRange.around(np.stack([appearance_of(surface(seed)) for seed in range(30)]))


def test_the_properties_are_what_their_names_say() -> None:
    rgb = np.random.default_rng(0).integers(0, 200, (21, 34, 3), np.uint8)
    values = rgb.astype(np.float64)
    changes = [
        sum(np.abs(np.diff(values, axis=axis)).mean() for axis in (0, 1)),
        np.abs(values[2:] - values[:-2]).mean() + np.abs(values[:, 2:] - values[:, :-2]).mean(),
    ]
    contrast = np.sqrt(values.var((0, 1)).mean())
    red, green, blue = values.mean((0, 1))
    brightness, detail = values.mean(), 2 * changes[0] - changes[1]
    expected = [
        np.log1p(brightness), red - green, blue - green, np.log1p(detail), np.log1p(contrast)
    ]  # fmt: skip
    np.testing.assert_allclose(appearance_of(rgb), expected, rtol=1e-6)


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (2, 2), (9, 1)])
def test_the_smallest_images_have_properties_too(shape: tuple[int, int]) -> None:
    assert np.isfinite(appearance_of(np.full((*shape, 3), 7, np.uint8))).all()


def test_what_is_smooth_has_no_detail() -> None:
    slope = np.tile(np.arange(50, dtype=np.uint8)[:, np.newaxis, np.newaxis], (1, 40, 3))
    assert appearance_of(slope)[3] == 0


def test_known_images_are_inside(known: AppearanceRange) -> None:
    for seed in range(30, 90):
        assert known.departure(appearance_of(surface(seed))).share < 1


@pytest.mark.parametrize(
    ("disturbance", "words"),
    [
        ("black frame", "darker"),
        ("white frame", "brighter"),
        ("noise", "with more detail"),
        ("strong blur", "more blurred"),
        ("colour cast", "of other colours"),
        ("finger on the lens", "of other colours"),
    ],
)
def test_a_spoilt_image_is_outside(known: AppearanceRange, disturbance: str, words: str) -> None:
    for seed in range(5):
        departure = known.departure(appearance_of(DISTURBANCES[disturbance](surface(seed))))
        assert departure.share > 1
        assert departure.words == words


def test_an_image_that_is_outside_is_unknown_for_that_reason(known: AppearanceRange) -> None:
    model = drawn_model()
    black = known.departure(appearance_of(np.zeros((48, 48, 3), np.uint8)))
    plain, dark = model.judge(KNOWN, SURE), model.judge(KNOWN, SURE, departure=black)
    least = least_scores(LABELS, {}, 0.0)
    reasons = [
        name_best(SURE, labels=LABELS, least=least, top=1, ms=0, novelty=one).novelty_reason
        for one in (plain, dark)
    ]
    assert reasons == [None, "darker than anything in training"]
    assert dark.value > model.threshold > plain.value
    inside = known.departure(appearance_of(surface(1)))
    assert model.judge(KNOWN, SURE, departure=inside) == plain
    assert not model.judge(KNOWN, SURE, departure=black, threshold=1.0).is_unknown


def test_features_that_are_no_numbers_are_said_first(known: AppearanceRange) -> None:
    black = known.departure(appearance_of(np.zeros((48, 48, 3), np.uint8)))
    novelty = drawn_model().judge(np.full(4, np.nan, np.float32), SURE, departure=black)
    assert (novelty.value, novelty.cause) == (1.0, "unlike")
    assert UNLIKE.startswith(novelty.cause)


def test_further_images_widen_the_range(known: AppearanceRange) -> None:
    black = appearance_of(np.zeros((48, 48, 3), np.uint8))
    wider = known.including(black[np.newaxis])
    assert known.departure(black).share > 1 > wider.departure(black).share
    assert known.including(np.zeros((0, 5), np.float32)) == known


def test_a_model_survives_json_with_it_and_without(known: AppearanceRange) -> None:
    model = replace(drawn_model(), appearance=known)
    values = json.loads(json.dumps(asdict(model)))
    assert NoveltyModel.from_json(values, classes=2) == model
    del values["appearance"]
    assert NoveltyModel.from_json(values, classes=2) == drawn_model()


@pytest.mark.parametrize(
    "damage",
    [
        {"low": [0.0] * 4},
        {"low": [9e9] * 5},
        {"high": [float("nan")] * 5},
        {"high": [True] * 5},
        {"high": None},
    ],
)
def test_damaged_ranges_are_refused(known: AppearanceRange, damage: dict[str, Any]) -> None:
    values = json.loads(json.dumps(asdict(known)))
    assert AppearanceRange.from_json(values) == known
    with pytest.raises((ValueError, TypeError, KeyError)):
        AppearanceRange.from_json(values | damage)
