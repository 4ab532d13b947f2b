"""The rewrites: no BatchNorm left, channels on a common range, and nothing changed in float."""

from dataclasses import replace

import keras
import numpy as np
import pytest
from keras import layers

from edgeclf.convert.graph.batch_norm import deploy_graph, fold_affines
from edgeclf.convert.graph.nodes import Affine, Conv, Depthwise, Graph, Input
from edgeclf.convert.graph.read_keras import read_keras
from edgeclf.convert.graph.scales import ChannelRange
from edgeclf.convert.graph.to_keras import build_tf_keras
from edgeclf.convert.quantize.calibrate import channel_ranges, choose_balanced, pin_input_range
from edgeclf.convert.techniques.equalize_concats import concat_parts, equalize_concats
from edgeclf.models.networks.architectures import architecture
from edgeclf.models.networks.classifier import build_classifier


def photographs(count: int = 6, size: int = 32) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, size, size, 3), np.uint8)


def lived_in(model: keras.Model) -> keras.Model:
    """Give the BatchNorms statistics whose channels differ by orders of magnitude."""
    rng = np.random.default_rng(1)
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            channels = layer.gamma.shape[0]
            layer.set_weights(
                [
                    rng.normal(1, 0.5, channels),
                    rng.normal(0, 0.5, channels),
                    rng.normal(0, 0.3, channels),
                    np.exp(rng.normal(0, 1.5, channels)),
                ]
            )
    return model


@pytest.fixture(scope="module", params=["densenet-tiny", "densenet-small"])
def model(request: pytest.FixtureRequest) -> keras.Model:
    keras.utils.set_random_seed(0)
    return lived_in(build_classifier(architecture(request.param), classes=5, input_hw=(32, 32)))


def outputs(graph: Graph, images: np.ndarray) -> np.ndarray:
    return build_tf_keras(graph).predict(images.astype("float32"), verbose=0)


def test_the_deploy_graph_has_no_batchnorm_and_equals_keras(model: keras.Model) -> None:
    graph = deploy_graph(read_keras(model))
    assert not any(isinstance(node, Affine) for node in graph)
    # One 1x1 depthwise for the normalisation and for each BatchNorm that no convolution precedes.
    depthwise = [node for node in graph if isinstance(node, Depthwise)]
    folded = [node for node in model.layers if node.name.endswith("_1_bn")]
    batchnorms = [layer for layer in model.layers if isinstance(layer, layers.BatchNormalization)]
    stem = [layer for layer in batchnorms if layer.name == "conv1_bn"]
    assert len(depthwise) == 1 + len(batchnorms) - len(folded) - len(stem)
    images = photographs()
    expected = model.predict(images.astype("float32"), verbose=0)
    np.testing.assert_allclose(outputs(graph, images), expected, atol=1e-5)


def test_equalising_brings_every_part_to_the_unit_range(model: keras.Model) -> None:
    images = photographs()
    graph = deploy_graph(read_keras(model))
    parts = concat_parts(graph)
    before = channel_ranges(graph, parts, images)
    equalized, skipped = equalize_concats(graph, before)
    assert skipped == ()
    after = channel_ranges(equalized, parts, images)
    widths = np.concatenate([before[part].high - before[part].low for part in parts])
    assert widths.max() / widths[widths > 0].min() > 20  # else there was nothing to equalise
    for part in parts:
        assert after[part].low.min() >= -1e-4
        assert after[part].high.max() == pytest.approx(1, abs=1e-3)
        low = before[part].low if before[part].low.min() < 0 else 0  # a ReLU's stays at 0
        spread = before[part].high - low
        alive = spread > 1e-3 * spread.max()
        used = after[part].high - (0 if isinstance(low, int) else after[part].low)
        np.testing.assert_allclose(used[alive], 1, rtol=1e-2)
    np.testing.assert_allclose(outputs(equalized, images), outputs(graph, images), atol=1e-5)


def small_graph(consumer: str) -> keras.Model:
    """Return a model that concatenates a convolution and a ReLU, read by `consumer`."""
    image = keras.Input((8, 8, 3))
    left = layers.Conv2D(4, 3, padding="same", name="left")(image)
    right = layers.Activation("relu")(layers.Conv2D(4, 3, padding="same", name="right")(image))
    both = layers.Concatenate(name="both")([left, right])
    if consumer == "none":
        return keras.Model(image, both)
    x = {
        "batchnorm": lambda: layers.BatchNormalization(name="undo")(both),
        "valid": lambda: layers.Conv2D(4, 3, dilation_rate=2, name="undo")(both),
        "same": lambda: layers.Conv2D(4, 3, padding="same", name="undo")(both),
        "pointwise": lambda: layers.Conv2D(4, 1, padding="same", name="undo")(both),
        "depthwise": lambda: layers.DepthwiseConv2D(3, padding="same", name="undo")(both),
        "padded": lambda: layers.Conv2D(4, 3, name="undo")(layers.ZeroPadding2D()(both)),
        "relu": lambda: layers.Conv2D(4, 3, name="undo")(layers.ReLU()(both)),
        "pool": lambda: layers.Conv2D(4, 3, name="undo")(
            layers.MaxPooling2D(2, strides=1, padding="same")(both)
        ),
        "dense": lambda: layers.Dense(4, name="undo")(layers.GlobalAveragePooling2D()(both)),
        "groups": lambda: layers.Conv2D(4, 3, groups=2, name="undo")(both),
        "sum": lambda: layers.Add()([both, both]),
        "sigmoid": lambda: layers.Conv2D(4, 3, name="undo")(layers.Activation("sigmoid")(both)),
    }[consumer]()
    if len(x.shape) == 4:
        x = layers.Conv2D(3, 3, padding="same", name="last")(x)
    return lived_in(keras.Model(image, x))


def test_a_part_behind_a_relu_is_scaled_but_not_shifted() -> None:
    graph = deploy_graph(read_keras(small_graph("batchnorm")))
    ranges = {
        "left": ChannelRange(np.full(4, -2, np.float32), np.full(4, 6, np.float32)),
        "activation": ChannelRange(np.full(4, 1, np.float32), np.full(4, 4, np.float32)),
    }
    ranges = {
        part: ranges["left" if part == "left" else "activation"] for part in concat_parts(graph)
    }
    equalized, _ = equalize_concats(graph, ranges)
    left, right = equalized["left"], equalized["right"]
    assert isinstance(left, Conv)
    assert isinstance(right, Conv)
    np.testing.assert_allclose(left.bias, 0.25)
    np.testing.assert_allclose(right.bias, 0)
    np.testing.assert_allclose(right.kernel * 4, graph["right"].kernel, atol=1e-6)
    images = photographs(2, 8)
    np.testing.assert_allclose(outputs(equalized, images), outputs(graph, images), rtol=1e-3)


@pytest.mark.parametrize(
    ("consumer", "shifts"),
    [
        *[(consumer, True) for consumer in ("batchnorm", "valid", "pointwise", "pool", "dense")],
        *[(consumer, False) for consumer in ("same", "depthwise", "padded", "relu")],
    ],
)
def test_a_consumer_undoes_what_zeros_around_the_image_let_it(consumer: str, shifts: bool) -> None:
    model = small_graph(consumer)
    kernel, bias = model.get_layer("left").get_weights()
    model.get_layer("left").set_weights([kernel * [0.1, 1, 10, 100], bias])
    graph = deploy_graph(read_keras(model))
    images = photographs(3, 8)
    parts = concat_parts(graph)
    equalized, skipped = equalize_concats(graph, channel_ranges(graph, parts, images))
    assert skipped == ()
    left = channel_ranges(equalized, ("left",), images)["left"]
    assert (left.low.min() >= -1e-4) == shifts
    assert max(left.high.max(), -left.low.min()) == pytest.approx(1, abs=1e-3)
    expected = outputs(graph, images)
    tolerance = 1e-4 * expected.std()
    np.testing.assert_allclose(outputs(equalized, images), expected, rtol=0, atol=tolerance)
    assert not np.allclose(equalized["undo"].kernel, graph["undo"].kernel, rtol=0.1)


@pytest.mark.parametrize("consumer", ["sum", "sigmoid", "groups", "none"])
def test_a_consumer_that_cannot_undo_is_left_alone_and_named(consumer: str) -> None:
    graph = deploy_graph(read_keras(small_graph(consumer)))
    parts = concat_parts(graph)
    equalized, skipped = equalize_concats(graph, channel_ranges(graph, parts, photographs(2, 8)))
    assert skipped == parts
    np.testing.assert_array_equal(equalized["left"].kernel, graph["left"].kernel)


def test_a_convolution_may_undo_one_concatenation_and_feed_the_next() -> None:
    image = keras.Input((8, 8, 3))
    x = layers.Conv2D(4, 3, name="first")(image)
    for name in ("second", "third"):
        x = layers.Concatenate()([x, layers.Conv2D(4, 3, padding="same", name=name)(x)])
        x = layers.BatchNormalization(name=f"{name}_bn")(x)
    graph = deploy_graph(read_keras(lived_in(keras.Model(image, layers.Conv2D(3, 3)(x)))))
    assert concat_parts(graph) == ("first", "second", "second_bn", "third")
    images = photographs(3, 8)
    ranges = channel_ranges(graph, concat_parts(graph), images)
    equalized, skipped = equalize_concats(graph, ranges)
    assert skipped == ()
    np.testing.assert_allclose(outputs(equalized, images), outputs(graph, images), rtol=1e-3)


def test_channels_that_never_vary_do_no_harm() -> None:
    model = small_graph("batchnorm")
    kernel, bias = model.get_layer("left").get_weights()
    kernel[..., 0], bias[0] = 0, 3
    model.get_layer("left").set_weights([kernel, bias])
    graph = deploy_graph(read_keras(model))
    images = photographs(2, 8)
    equalized, _ = equalize_concats(graph, channel_ranges(graph, concat_parts(graph), images))
    assert all(np.isfinite(equalized[name].kernel).all() for name in ("left", "right", "undo"))
    np.testing.assert_allclose(outputs(equalized, images), outputs(graph, images), rtol=1e-3)


def test_a_batchnorm_folds_only_where_it_is_the_only_reader() -> None:
    image = keras.Input((8, 8, 3))
    x = layers.Conv2D(4, 3, name="conv")(image)
    y = layers.BatchNormalization(name="bn")(x)
    graph = fold_affines(read_keras(lived_in(keras.Model(image, layers.Concatenate()([x, y])))))
    assert isinstance(graph["bn"], Affine)


@pytest.mark.parametrize(
    ("size", "pool", "averaged_first"),
    [
        (1, layers.AveragePooling2D(2, name="pool"), True),
        (1, layers.AveragePooling2D(3, 2, "same", name="pool"), True),
        (3, layers.AveragePooling2D(2, name="pool"), False),
        (1, layers.MaxPooling2D(2, name="pool"), False),
        (1, layers.AveragePooling2D(2, 1, name="pool"), False),
    ],
)
def test_pixels_are_averaged_before_a_pointwise_convolution(size, pool, averaged_first) -> None:
    image = keras.Input((9, 9, 3))
    x = layers.Conv2D(4, size, name="first")(image)
    x = pool(x)
    x = layers.Conv2D(5, 1, name="second")(x)
    x = layers.AveragePooling2D(2)(x)
    model = keras.Model(image, layers.GlobalAveragePooling2D()(x))
    graph = deploy_graph(read_keras(model))
    order = [node.name for node in graph]
    assert (order.index("pool") < order.index("first")) == averaged_first
    images = np.random.default_rng(0).uniform(0, 255, (4, 9, 9, 3)).astype(np.float32)
    made = build_tf_keras(graph).predict(images, verbose=0)
    np.testing.assert_allclose(made, model.predict(images, verbose=0), rtol=1e-4, atol=1e-4)


def test_what_others_read_is_not_averaged_first() -> None:
    image = keras.Input((8, 8, 3))
    x = layers.Conv2D(4, 1, name="first")(image)
    both = [layers.AveragePooling2D(2, name="pool")(x), layers.MaxPooling2D(2)(x)]
    model = keras.Model(image, layers.Concatenate()(both))
    order = [node.name for node in deploy_graph(read_keras(model))]
    assert order.index("first") < order.index("pool")


def test_a_graph_is_in_order() -> None:
    image = Input("image", (), (8, 8, 3))
    late = Affine("late", ("image",), np.ones(3, np.float32), np.zeros(3, np.float32))
    with pytest.raises(ValueError, match="does not come before"):
        Graph([late, image])
    with pytest.raises(ValueError, match="same name"):
        Graph([image, replace(image)])


def test_calibration_is_balanced_and_seeded() -> None:
    labels = ["a"] * 90 + ["b"] * 8 + ["c"] * 2
    chosen = choose_balanced(range(100), labels, count=24, seed=0)
    counts = [sum(labels[i] == label for i in chosen) for label in "abc"]
    assert counts == [14, 8, 2]
    assert chosen == choose_balanced(range(100), labels, count=24, seed=0)
    assert chosen != choose_balanced(range(100), labels, count=24, seed=1)
    assert sorted(choose_balanced(range(100), labels, count=999, seed=0)) == list(range(100))


def test_the_input_range_is_pinned_without_touching_the_original() -> None:
    dim = np.full((2, 8, 8, 3), 100, np.uint8)
    pinned = pin_input_range(dim)
    assert (pinned.min(), pinned.max()) == (0, 255)
    assert (pinned != dim).sum() == 6
    assert (dim == 100).all()
