"""What images look like, and what is said of one that looks like none that is known."""

import json
from dataclasses import asdict, replace
from typing import Any

import cv2
import numpy as np
import pytest
from novelty_models import drawn_model

from edgeclf.benchmarks.novelty.disturbances import DISTURBANCES
from edgeclf.edge_runtime.novelty.appearance import (
    AppearanceRange,
    Departure,
    appearance_of,
    departure_from,
)
from edgeclf.edge_runtime.novelty.model import NoveltyModel
from edgeclf.edge_runtime.prediction import least_scores, name_best

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
    red, green, blue = values.mean((0, 1))
    contrast = np.sqrt(values.var((0, 1)).mean())
    padded = np.pad(values[..., 1], 1, mode="reflect")
    around = padded[:-2, 1:-1] + padded[2:, 1:-1] + padded[1:-1, :-2] + padded[1:-1, 2:]
    detail = np.abs(around - 4 * values[..., 1]).mean()
    brightness, detail, contrast = np.log([4 + values.mean(), 1 + detail, 4 + contrast])
    expected = [brightness, red - green, blue - green, detail, contrast]
    np.testing.assert_allclose(appearance_of(rgb), expected, rtol=1e-6)


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (2, 2), (9, 1)])
def test_the_smallest_images_have_properties_too(shape: tuple[int, int]) -> None:
    assert np.isfinite(appearance_of(np.full((*shape, 3), 7, np.uint8))).all()


@pytest.mark.parametrize("width", [1, 2, 3, 5, 16, 40])
def test_stripes_and_squares_have_detail_however_wide(width: int) -> None:
    places = np.arange(80) // width % 2 * 255
    stripes = np.repeat(np.tile(places, (80, 1))[..., np.newaxis], 3, 2).astype(np.uint8)
    squares = np.where(stripes == stripes.swapaxes(0, 1), 255, 0).astype(np.uint8)
    soft = cv2.GaussianBlur(squares, (0, 0), 8)
    assert appearance_of(squares)[3] > appearance_of(stripes)[3] > appearance_of(soft)[3] >= 0


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
    # Features that are nearer than most do not make up for the pixels.
    nearer, just_outside = replace(model, distance=(20.0, 21.0)), Departure(1.001, "darker")
    assert nearer.parts(KNOWN, SURE)[0] < -10
    assert nearer.judge(KNOWN, SURE, departure=just_outside).is_unknown
    assert not model.judge(KNOWN, SURE, departure=black, threshold=1.0).is_unknown


def test_features_that_are_no_numbers_are_said_first(known: AppearanceRange) -> None:
    black = known.departure(appearance_of(np.zeros((48, 48, 3), np.uint8)))
    novelty = drawn_model().judge(np.full(4, np.nan, np.float32), SURE, departure=black)
    assert (novelty.value, novelty.cause) == (1.0, "unlike")


@pytest.mark.parametrize(
    ("place", "words"),
    [(0, ("darker", "brighter")), (4, ("with less contrast", "with more contrast"))],
)
def test_the_range_ends_a_quarter_of_its_width_outside(place: int, words: tuple[str, str]) -> None:
    seen = np.tile(np.float32([4, 0, 0, 2, 3]), (9, 1))
    seen[:, place] = np.linspace(2, 6, 9)
    known, image = AppearanceRange.around(seen), seen[0].copy()
    for value, word in ((0.9, words[0]), (1.1, ""), (6.9, ""), (7.1, words[1])):
        image[place] = value
        departure = known.departure(image)
        assert departure.words == word
        assert (departure.share > 1) == bool(word)


def test_one_value_leaves_some_way_on_either_side() -> None:
    known = AppearanceRange.around(np.float32([[4, 0, 0, 2, 3]]))
    assert known.departure(np.float32([4.2, 10, -10, 2.3, 2.7])).share < 1
    assert known.departure(np.float32([4, 0, 13, 2, 3])).words == "of other colours"


def test_a_stray_photograph_does_not_set_the_range() -> None:
    seen = np.stack([appearance_of(surface(seed)) for seed in range(300)])
    black = appearance_of(np.zeros((48, 48, 3), np.uint8))
    assert AppearanceRange.around(np.vstack([seen, black])).departure(black).words == "darker"


def test_what_is_near_any_range_is_inside(known: AppearanceRange) -> None:
    black = appearance_of(np.zeros((48, 48, 3), np.uint8))
    ranges = (known, AppearanceRange.around(black[np.newaxis]))
    for image, inside in (
        (black, True),
        (appearance_of(surface(3)), True),
        ((black * 3 + 1), False),
    ):
        departure = departure_from(ranges, image)
        assert departure is not None
        assert (departure.share < 1) == inside
    assert departure_from((), black) is None
    assert departure_from(ranges, None) is None


def test_a_model_survives_json_with_it_and_without(known: AppearanceRange) -> None:
    model = replace(drawn_model(), appearance=known)
    values = json.loads(json.dumps(asdict(model)))
    assert NoveltyModel.from_json(values, classes=2) == model
    for damage in (None, [], "low"):
        with pytest.raises(TypeError):
            NoveltyModel.from_json(values | {"appearance": damage}, classes=2)
    del values["appearance"]
    assert NoveltyModel.from_json(values, classes=2) == drawn_model()


@pytest.mark.parametrize(
    "damage",
    [
        {"low": [0.0] * 4},
        {"low": [9e9] * 5},
        {"high": [float("nan")] * 5},
        {"high": [True] * 5},
        {"high": [float("inf")] * 5},
        {"high": None},
        {"low": ["0"] * 5},
    ],
)
def test_damaged_ranges_are_refused(known: AppearanceRange, damage: dict[str, Any]) -> None:
    values = json.loads(json.dumps(asdict(known)))
    assert AppearanceRange.from_json(values) == known
    with pytest.raises((ValueError, TypeError, KeyError)):
        AppearanceRange.from_json(values | damage)
