"""Novelty models of drawn features: what is foreign is found, and the stated share is kept."""

import json
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pytest
from scipy import stats

from edgeclf.edge_runtime.novelty.features import mean_features, unit_length
from edgeclf.edge_runtime.novelty.model import NoveltyModel
from edgeclf.models.novelty.fit import Observed, fit_novelty, ledoit_wolf

CLASSES, CHANNELS = 3, 48
LOOKS = np.float32([4, 0, 0, 2, 3])  # of the pixels
CENTRES = np.abs(np.random.default_rng(9).normal(size=(CLASSES, CHANNELS))) + 1


def draw(count: int, seed: int, *, shift: float = 0.0, groups: int | None = None) -> Observed:
    """Features around one centre a class, and sure scores; `shift` moves them elsewhere."""
    rng = np.random.default_rng(seed)
    classes = rng.integers(0, CLASSES, count)
    features = CENTRES[classes] + rng.normal(scale=0.3, size=(count, CHANNELS))
    features[:, ::2] += shift
    sure = rng.uniform(0.9, 1, count)
    scores = np.full((count, CLASSES), 0.0) + ((1 - sure) / (CLASSES - 1))[:, np.newaxis]
    scores[np.arange(count), classes] = sure
    return Observed(
        features.astype(np.float32),
        scores.astype(np.float32),
        classes,
        np.arange(count) % (groups or count),
        LOOKS + rng.normal(scale=0.1, size=(count, len(LOOKS))).astype(np.float32),
    )


@pytest.fixture(scope="module")
def model() -> NoveltyModel:
    return fit_novelty(draw(400, 0), draw(300, 1), false_unknown=0.02)


def shares(model: NoveltyModel, images: Observed) -> float:
    answers = zip(images.features, images.scores, strict=True)
    return float(np.mean([model.judge(*answer).is_unknown for answer in answers]))


def test_what_is_foreign_is_found_though_the_scores_are_sure(model: NoveltyModel) -> None:
    foreign = draw(200, 2, shift=2.0)
    assert shares(model, foreign) == 1
    novelty = model.judge(foreign.features[0], foreign.scores[0])
    assert novelty.cause == "unlike"
    assert novelty.value > model.threshold == pytest.approx(0.98)


def test_about_the_stated_share_of_known_images_is_unknown(model: NoveltyModel) -> None:
    held_out = model.held_out
    assert held_out.images == held_out.groups == 300
    assert held_out.unknown <= 2 * 0.02  # by the distance or by the blend
    assert held_out.interval[0] < held_out.unknown < held_out.interval[1]
    assert shares(model, draw(1000, 3)) < 0.06


def test_between_two_classes_is_unknown_for_another_reason(model: NoveltyModel) -> None:
    known = draw(1, 4)
    torn = np.array([0.5, 0.5, 0.0], np.float32)
    novelty = model.judge(known.features[0], torn)
    assert (novelty.is_unknown, novelty.cause) == (True, "between")
    assert not model.judge(known.features[0], known.scores[0]).is_unknown


def test_the_distance_is_that_of_the_shrunk_covariance() -> None:
    train = draw(60, 5)
    model = fit_novelty(train, draw(40, 6), false_unknown=0.05)
    unit = unit_length(train.features).astype(np.float64)
    means = np.stack([unit[train.classes == index].mean(0) for index in range(CLASSES)])
    within = unit - means[train.classes]
    shrinkage, variance = ledoit_wolf(within)
    covariance = (1 - shrinkage) * within.T @ within / 60 + shrinkage * variance * np.eye(CHANNELS)
    for features in draw(20, 7, shift=0.2).features:
        offsets = unit_length(features).astype(np.float64) - means
        expected = np.einsum("kc,kc->k", offsets, np.linalg.solve(covariance, offsets.T).T).min()
        assert model.distance_of(features) == pytest.approx(expected, rel=0.02)


def test_the_shrinkage_is_ledoit_and_wolfs() -> None:
    for images, seed in ((20, 0), (200, 1)):
        offsets = stats.wishart(8, np.diag(np.arange(1.0, 9))).rvs(images, random_state=seed)[:, 0]
        offsets = offsets - offsets.mean(0)
        covariance = offsets.T @ offsets / images
        mean = np.trace(covariance) / 8
        apart = np.square(covariance - mean * np.eye(8)).sum()
        errors = [np.square(np.outer(one, one) - covariance).sum() for one in offsets]
        expected = min(sum(errors) / images**2, apart) / apart
        shrinkage, variance = ledoit_wolf(offsets)
        assert shrinkage == pytest.approx(expected)
        assert variance == pytest.approx(mean)


def test_what_images_look_like_is_known_of_both_splits() -> None:
    train, held_out = draw(200, 0), draw(100, 1)
    assert held_out.appearances is not None
    dark = replace(held_out, appearances=held_out.appearances - np.float32([2, 0, 0, 0, 0]))
    model = fit_novelty(train, dark, false_unknown=0.01)
    assert model.appearance is not None
    for images in (train, dark):
        assert images.appearances is not None
        shares = [model.appearance.departure(one).share for one in images.appearances]
        assert max(shares) < 1
    assert model.held_out.unknown == 1  # of a range that knows the training images alone
    features = fit_novelty(train, replace(dark, appearances=None), false_unknown=0.01)
    assert features.held_out.unknown < 0.1
    alone = fit_novelty(replace(train, appearances=None), held_out, false_unknown=0.01)
    assert alone.appearance is None


def test_few_groups_are_helped_out_by_the_training_groups() -> None:
    few = replace(draw(8, 8), groups=np.zeros(8, np.intp))
    model = fit_novelty(draw(200, 0, groups=20), few, false_unknown=0.01)
    assert model.held_out.groups == 1
    assert shares(model, draw(500, 3)) < 0.05
    assert shares(model, draw(100, 2, shift=2.0)) == 1


@pytest.mark.parametrize("kind", ["one image a class", "all the same", "no feature"])
def test_hopeless_features_make_a_model_too(kind: str) -> None:
    train, held_out = draw(60, 0), draw(20, 1)
    if kind == "one image a class":
        train = draw(400, 0)
        places = [int(np.flatnonzero(train.classes == index)[0]) for index in range(CLASSES)]
        train = train.some(np.asarray(places))
    elif kind == "all the same":
        train = replace(train, features=np.ones_like(train.features))
    else:
        train, held_out = (
            replace(part, features=np.zeros_like(part.features)) for part in (train, held_out)
        )
    model = fit_novelty(train, held_out, false_unknown=0.01)
    assert 0 <= model.judge(held_out.features[0], held_out.scores[0]).value <= 1


def test_it_survives_json_and_is_small(model: NoveltyModel) -> None:
    text = json.dumps(asdict(model))
    assert NoveltyModel.from_json(json.loads(text), classes=CLASSES) == model
    wide = np.random.default_rng(0).normal(size=(280, 1024)).astype(np.float32)
    train = Observed(wide, np.eye(280, dtype=np.float32), np.arange(280), np.zeros(280, np.intp))
    large = fit_novelty(train, train, false_unknown=0.01)
    assert len(json.dumps(asdict(large))) < 1_000_000


@pytest.mark.parametrize(
    "damage",
    [
        {"channels": CHANNELS + 1},
        {"channels": 0},
        {"channels": 2.0},
        {"axes": "AAA"},
        {"centre": "AAAAAA=="},
        {"class_means": ""},
        {"variances": "AADAfw==" * 3},
        {"rest_variance": 0},
        {"rest_variance": float("nan")},
        {"false_unknown": 0.5},
        {"distance": [1.0, 1.0]},
        {"blend": [2.0, 1.0]},
        {"weights": [1.0]},
        {"held_out": {}},
    ],
)
def test_a_damaged_one_is_noticed(model: NoveltyModel, damage: dict[str, Any]) -> None:
    values = json.loads(json.dumps(asdict(model))) | damage
    with pytest.raises((ValueError, KeyError, TypeError)):
        NoveltyModel.from_json(values, classes=CLASSES)
    with pytest.raises(ValueError, match="do not fit together"):
        NoveltyModel.from_json(json.loads(json.dumps(asdict(model))), classes=CLASSES + 1)


def test_features_that_are_no_numbers_are_unknown(model: NoveltyModel) -> None:
    scores = np.array([1, 0, 0], np.float32)
    for value in (np.nan, np.inf):
        novelty = model.judge(np.full(CHANNELS, value, np.float32), scores)
        assert (novelty.is_unknown, novelty.value, novelty.cause) == (True, 1.0, "unlike")


def test_a_feature_map_is_averaged_in_its_own_steps() -> None:
    rng = np.random.default_rng(0)
    output = rng.integers(0, 256, (1, 3, 5, 7)).astype(np.uint8)
    expected = (output.astype(np.float64) - 3).mean((0, 1, 2)) * 0.25
    np.testing.assert_allclose(mean_features(output, (0.25, 3)), expected, rtol=1e-6)
    mean = output[0, 0, :1].astype(np.float32)
    np.testing.assert_array_equal(mean_features(mean, (0.0, 0)), mean[0])
