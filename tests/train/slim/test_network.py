"""A network without some of its channels says what it said, as nearly as it can."""

import keras
import numpy as np
import pytest
from keras import layers
from numpy.typing import NDArray
from small_networks import drawn_images, small_densenet, with_drawn_statistics

from edgeclf.edge_runtime.errors import EdgeclfError
from edgeclf.models.networks.architectures import architecture
from edgeclf.models.networks.classifier import build_classifier
from edgeclf.train.slim import network
from edgeclf.train.slim.layout import read_layout
from edgeclf.train.slim.narrow import narrow, narrow_evenly
from edgeclf.train.slim.network import SlimNetwork, check_keep, slim_network
from edgeclf.train.slim.statistics import observe_readers

TRAIN, TEST = drawn_images(48, 1), drawn_images(32, 2).astype(np.float32)


def logits(model: keras.Model) -> NDArray[np.float64]:
    scores = np.asarray(model.predict_on_batch(TEST), np.float64)
    return np.log(scores) - np.log(scores).mean(1, keepdims=True)


def error(model: keras.Model, slim: keras.Model) -> float:
    return float(np.square(logits(slim) - logits(model)).mean())


def slim_half(model: keras.Model) -> SlimNetwork:
    return slim_network(model, TRAIN, TRAIN, keep=0.5, temperature=4.0, seed=0)


@pytest.fixture(scope="module")
def model() -> keras.Model:
    return small_densenet()


@pytest.fixture(scope="module")
def half(model: keras.Model) -> SlimNetwork:
    return slim_half(model)


def test_channels_that_are_dead_leave_first_and_nothing_changes() -> None:
    model = small_densenet(3)
    layout = read_layout(model)
    rng = np.random.default_rng(0)
    dead = {}
    for name in ("conv2_block1_1", "conv2_block2_1", "conv3_block1_1", "conv3_block2_1"):
        dead[f"{name}_conv"] = rng.permutation(layout.widths[f"{name}_conv"])[:40]
        norm = model.get_layer(f"{name}_bn")
        gamma, beta = np.array(norm.gamma), np.array(norm.beta)
        gamma[dead[f"{name}_conv"]], beta[dead[f"{name}_conv"]] = 0, -1
        norm.gamma.assign(gamma)
        norm.beta.assign(beta)
    fewer = {source: layout.widths[source] - 40 for source in dead}
    keep = layout.multiplications(layout.widths | fewer) / layout.multiplications()
    slim = slim_network(model, TRAIN, TRAIN, keep=keep + 1e-9, temperature=4.0, seed=0)
    assert slim.channels == fewer
    np.testing.assert_allclose(logits(slim.model), logits(model), atol=1e-5)


def test_a_channel_that_is_constant_is_made_up_for_by_the_norms_behind() -> None:
    model = small_densenet(4)
    norms = ("conv2_block2_0_bn", "pool2_bn")  # all that read the growth of conv2_block1
    for name in norms:
        norm = model.get_layer(name)
        gamma, beta = np.array(norm.gamma), np.array(norm.beta)
        gamma[20:28], beta[20:28] = 0, 1.5
        norm.gamma.assign(gamma)
        norm.beta.assign(beta)
    layout = read_layout(model)
    fewer = layout.widths | {"conv2_block1_2_conv": 8}
    keep = layout.multiplications(fewer) / layout.multiplications()
    slim = slim_network(model, TRAIN, TRAIN, keep=keep + 1e-9, temperature=4.0, seed=0)
    assert slim.channels == {"conv2_block1_2_conv": 8}
    np.testing.assert_allclose(logits(slim.model), logits(model), atol=1e-4)


def test_the_weights_that_are_solved_again_err_less(model: keras.Model, half: SlimNetwork) -> None:
    plain = narrow(model, read_layout(model), half.kept)
    assert error(model, half.model) < 0.3 * error(model, plain)


def test_weights_that_are_solved_in_turn_err_less(
    model: keras.Model, half: SlimNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On photographs that they were not solved on."""
    monkeypatch.setattr(network, "solve_in_turn", lambda *_, **__: None)
    once = slim_half(model)
    assert once.channels == half.channels
    assert error(model, half.model) < 0.3 * error(model, once.model)


def test_next_to_no_images_solve_nothing_in_turn(
    model: keras.Model, half: SlimNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = slim_network(model, TRAIN, TRAIN[:3], keep=0.5, temperature=4.0, seed=0)
    monkeypatch.setattr(network, "solve_in_turn", lambda *_, **__: None)
    for one, other in zip(few.model.weights, slim_half(model).model.weights, strict=True):
        np.testing.assert_array_equal(one, other)
    assert error(model, half.model) < error(model, few.model)


def test_channels_that_are_chosen_err_less_than_others(
    model: keras.Model, half: SlimNetwork
) -> None:
    rng = np.random.default_rng(0)
    drawn = {source: rng.permutation(stays) for source, stays in half.kept.items()}
    layout = read_layout(model)
    assert error(model, narrow(model, layout, half.kept)) < error(
        model, narrow(model, layout, drawn)
    )


def test_the_share_that_was_asked_for_is_kept(model: keras.Model, half: SlimNetwork) -> None:
    assert half.before == read_layout(model).multiplications()
    assert half.after == read_layout(half.model).multiplications()
    assert 0.4 < half.after / half.before <= 0.5
    assert all(count % 4 == 0 for count in half.channels.values())


@pytest.mark.parametrize("keep", [0.9, 0.6, 0.5, 0.25])
def test_an_even_network_has_the_share_at_most_and_hardly_less(keep: float) -> None:
    model = build_classifier(architecture("densenet-small"), classes=4, input_hw=(32, 32))
    slim = narrow_evenly(model, keep=keep)
    share = read_layout(slim).multiplications() / read_layout(model).multiplications()
    assert keep - 0.05 < share <= keep


def test_the_same_seed_gives_the_same_network(model: keras.Model, half: SlimNetwork) -> None:
    assert slim_half(model).channels == half.channels


def test_inverted_residuals_lose_expanded_channels() -> None:
    image = keras.Input((32, 32, 3))
    x = layers.Conv2D(16, 3, strides=2, padding="same", use_bias=False, name="stem")(image)
    x = layers.ReLU(6)(layers.BatchNormalization()(x))
    y = layers.Conv2D(64, 1, use_bias=False, name="expand")(x)
    y = layers.ReLU(6)(layers.BatchNormalization()(y))
    y = layers.DepthwiseConv2D(3, padding="same", use_bias=False)(y)
    y = layers.ReLU(6)(layers.BatchNormalization()(y))
    y = layers.Conv2D(16, 1, use_bias=False, name="project")(y)
    y = layers.Add()([x, layers.BatchNormalization()(y)])
    scores = layers.Dense(4, activation="softmax")(layers.GlobalAveragePooling2D()(y))
    keras.utils.set_random_seed(0)
    model = with_drawn_statistics(keras.Model(image, scores), 0)
    slim = slim_network(model, TRAIN, TRAIN, keep=0.6, temperature=4.0, seed=0)
    assert set(slim.channels) == {"expand"}
    assert error(model, slim.model) < error(model, narrow(model, read_layout(model), slim.kept))


def test_layers_that_are_arithmetic_are_computed_as_they_are() -> None:
    keras.utils.set_random_seed(0)
    model = build_classifier(
        architecture("mobilenetv3-small"), classes=4, input_hw=(32, 32), bn_momentum=0.0
    )
    model(TRAIN.astype(np.float32), training=True)  # its statistics are those of the images
    slim = slim_network(model, TRAIN, TRAIN, keep=0.8, temperature=4.0, seed=0)
    assert slim.after <= 0.8 * slim.before
    assert error(model, slim.model) < 0.1 * logits(model).var(0).mean()


def test_the_head_depends_on_its_logits_by_the_fisher_matrix(model: keras.Model) -> None:
    """Of logits divided by T it is diag(p) - p p^T over T squared, p at that temperature."""
    images = drawn_images(400, 5)
    seen = observe_readers(
        model, read_layout(model), ["predictions"], images, temperature=2.0, seed=0
    )["predictions"]
    softened = np.sqrt(model.predict_on_batch(images.astype(np.float32)))
    softened /= softened.sum(1, keepdims=True)
    expected = (softened - softened**2).mean(0) / 2**2 / 2
    np.testing.assert_allclose(seen.sensitivity, expected, rtol=0.25)


def test_what_cannot_be_slimmed_is_said() -> None:
    image = keras.Input((8, 8, 3))
    added = layers.Add()([layers.Conv2D(8, 3)(image), layers.Conv2D(8, 3)(image)])
    x = layers.GlobalAveragePooling2D()(added)
    rigid = keras.Model(image, layers.Dense(2, activation="softmax")(x))
    with pytest.raises(EdgeclfError, match="plain: has no channels that may leave"):
        check_keep(read_layout(rigid), 0.9, name="plain")
    tiny = build_classifier(architecture("densenet-tiny"), classes=4, input_hw=(32, 32))
    with pytest.raises(EdgeclfError, match=r"--keep 0.01: tiny can be slimmed to 0\.\d+ of its"):
        check_keep(read_layout(tiny), 0.01, name="tiny")
