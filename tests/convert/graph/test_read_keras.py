"""Any Keras functional model becomes a graph that computes the same, or is refused by name."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers, ops

from edgeclf.convert.graph.batch_norm import deploy_graph
from edgeclf.convert.graph.nodes import Affine, Depthwise, Graph
from edgeclf.convert.graph.read_keras import read_keras
from edgeclf.convert.graph.to_keras import build_tf_keras
from edgeclf.edge_runtime import EdgeclfError

SIZE = 10


def randomized(model: keras.Model) -> keras.Model:
    rng = np.random.default_rng(0)
    for weight in model.weights:
        positive = "variance" in weight.path or "gamma" in weight.path
        low, high = (0.5, 1.5) if positive else (-0.5, 0.5)
        weight.assign(rng.uniform(low, high, weight.shape).astype(weight.dtype))
    return model


def model_of(apply: Callable[[Any], Any]) -> keras.Model:
    """Return a model that applies `apply` to the features of a convolution."""
    keras.utils.clear_session()
    image = keras.Input((SIZE, SIZE, 3))
    x = layers.Conv2D(4, 3, padding="same", name="conv")(layers.Rescaling(1 / 64, -2)(image))
    return randomized(keras.Model(image, apply(x)))


def converted(model: keras.Model) -> Graph:
    """Return the deploy graph of `model`, which must compute what the model predicts."""
    graph = deploy_graph(read_keras(model))
    assert not any(isinstance(node, Affine) for node in graph)
    images = np.random.default_rng(1).integers(0, 256, (3, *model.input_shape[1:]))
    expected = model.predict(images.astype(np.float32), verbose=0)
    assert expected.std() > 1e-3  # else anything would be close
    made = build_tf_keras(graph).predict(images.astype(np.float32), verbose=0)
    tolerance = 1e-5 * np.abs(expected).max()
    np.testing.assert_allclose(made, expected, rtol=0, atol=tolerance)
    return graph


def kinds(graph: Graph) -> list[str]:
    return [type(node).__name__ for node in graph][3:]  # after image, Rescaling and convolution


ACTIVATIONS = [
    *("relu", "relu6", "sigmoid", "softmax", "silu", "swish"),
    *("hard_sigmoid", "hard_silu", "gelu", "tanh", "linear"),
]


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_an_activation_is_known_wherever_it_stands(name: str) -> None:
    def apply(x: Any) -> Any:
        x = layers.Activation(name)(x)
        x = layers.DepthwiseConv2D(3, activation=name)(x)
        return layers.Dense(5, activation=name)(layers.GlobalAveragePooling2D()(x))

    assert converted(model_of(apply)).unknown_layers == ()


def squeeze_and_excite(x: Any) -> Any:
    gate = layers.GlobalAveragePooling2D(keepdims=True)(x)
    gate = layers.ReLU(6.0)(layers.Conv2D(4, 1)(gate) + 3.0) * (1.0 / 6.0)
    return layers.Multiply()([x, gate])


def arithmetic(x: Any) -> Any:
    shift = np.array([1, 2, 3, 4], np.float32)
    return ops.silu(1 - x * 2 / 4 + shift) - ops.mean(-x, axis=(1, 2), keepdims=True)


KNOWN: dict[str, tuple[Callable[[Any], Any], list[str]]] = {
    "batchnorm": (layers.BatchNormalization(axis=3), []),
    "after a relu": (
        lambda x: layers.BatchNormalization(scale=False)(layers.ReLU()(x)),
        ["Activation", "Depthwise"],
    ),
    "depthwise": (
        lambda x: layers.BatchNormalization()(
            layers.DepthwiseConv2D(3, strides=2, depth_multiplier=2, use_bias=False)(x)
        ),
        ["Depthwise"],
    ),
    "separable": (
        lambda x: layers.BatchNormalization()(
            layers.SeparableConv2D(5, 3, depth_multiplier=2, dilation_rate=2, padding="same")(x)
        ),
        ["Depthwise", "Conv"],
    ),
    "dilated groups": (
        lambda x: layers.BatchNormalization()(layers.Conv2D(6, 3, dilation_rate=2, groups=2)(x)),
        ["Conv"],
    ),
    "flat, after a dense layer": (
        lambda x: layers.BatchNormalization()(layers.Dense(5)(layers.Flatten()(x))),
        ["Reshape", "Dense"],
    ),
    "flat, alone": (
        lambda x: layers.BatchNormalization()(layers.GlobalAveragePooling2D()(x)),
        ["GlobalAverage", "Reshape", "Depthwise", "Reshape"],
    ),
    "gate": (
        squeeze_and_excite,
        ["GlobalAverage", "Conv", "Activation", "Depthwise", "Elementwise"],
    ),
    "arithmetic": (
        arithmetic,
        ["Depthwise", "GlobalAverage", "Depthwise", "Activation", "Elementwise"],
    ),
    "merges": (
        lambda x: layers.Average()(
            [layers.Maximum()([x, -x]), layers.Minimum()([x, x * 2]), layers.Subtract()([x, x * x])]
        ),
        ["Depthwise", "Depthwise", *["Elementwise"] * 5],
    ),
    "maximum": (layers.GlobalMaxPooling2D(), ["Pool", "Reshape"]),
    "softmax": (layers.Softmax(), ["Activation"]),
    "inverse normalisation": (
        layers.Normalization(mean=[1, 2, 3, 4], variance=[4, 3, 2, 1], invert=True),
        [],
    ),
    "for training only": (
        lambda x: layers.GaussianNoise(1)(
            layers.RandomFlip()(layers.SpatialDropout2D(0.5)(layers.RandomRotation(0.5)(x)))
        ),
        [],
    ),
}


@pytest.mark.parametrize("name", KNOWN)
def test_known_layers_become_known_nodes(name: str) -> None:
    apply, expected = KNOWN[name]
    graph = converted(model_of(apply))
    assert sorted(kinds(graph)) == sorted(expected)
    assert graph.unknown_layers == ()


def test_normalisations_become_one_and_leave_the_border_exact() -> None:
    image = keras.Input((SIZE, SIZE, 3))
    x = layers.Normalization(mean=[0.5, 0.4, 0.3], variance=[0.1, 0.2, 0.3])(
        layers.Rescaling(1 / 255)(image)
    )
    x = layers.BatchNormalization()(layers.Conv2D(4, 3, padding="same")(x))
    graph = converted(randomized(keras.Model(image, x)))
    assert [type(node).__name__ for node in graph] == ["Input", "Depthwise", "Conv"]


FOREIGN: dict[str, Callable[[Any], Any]] = {
    "LayerNormalization": layers.LayerNormalization(name="strange"),
    "PReLU": layers.PReLU(shared_axes=[1, 2], name="strange"),
    "LeakyReLU": layers.LeakyReLU(0.1, name="strange"),
    "ReLU": layers.ReLU(negative_slope=0.1, name="strange"),
    "Activation": layers.Activation("elu", name="strange"),
    "Conv2D": layers.Conv2D(5, 3, activation="elu", name="strange"),
    "BatchNormalization": layers.BatchNormalization(axis=1, name="strange"),
    "Concatenate": lambda x: layers.Concatenate(axis=1, name="strange")([x, x]),
    "Cropping2D": layers.Cropping2D(2, name="strange"),
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_a_layer_that_is_not_known_is_left_as_it_is_and_named(kind: str) -> None:
    graph = converted(model_of(lambda x: layers.BatchNormalization()(FOREIGN[kind](x))))
    assert graph.unknown_layers == (f"strange ({kind})",)
    assert isinstance(graph.output, Depthwise)


class Doubled(layers.Layer):
    def call(self, x: Any) -> Any:
        return x * 2


class Conv2D(layers.Conv2D):
    """A class that is called like one of Keras."""

    def call(self, x: Any) -> Any:
        return super().call(x) * 2


def split(x: Any) -> Any:
    left, right = ops.split(x, 2, axis=-1)
    return layers.Concatenate()([right, left])


@pytest.mark.parametrize(
    ("apply", "named"),
    [
        (
            lambda x: Doubled(name="mine")(layers.Lambda(lambda y: y, name="code")(x)),
            r"code \(Lambda: .*\), mine \(Doubled: ",
        ),
        (Conv2D(4, 3, name="mine"), r"mine \(Conv2D: "),
        (layers.Conv2D(4, 3, activation=lambda y: y * 2, name="odd"), r"odd \(Conv2D"),
        (layers.Normalization(axis=(1, 2, 3), name="odd"), r"odd \(Normalization"),
        (lambda x: 1 / x, r"true_divide \(TrueDivide"),
        (split, r"split \(Split: several outputs"),
    ],
)
@pytest.mark.filterwarnings("ignore:The object being serialized includes a `lambda`")
def test_what_tf_keras_cannot_compute_alike_is_refused_by_name(
    apply: Callable[[Any], Any], named: str
) -> None:
    with pytest.raises(EdgeclfError, match=f"cannot convert the layers {named}"):
        read_keras(model_of(apply))


def test_models_within_models_are_laid_open() -> None:
    inner_image = keras.Input((SIZE, SIZE, 3))
    x = layers.BatchNormalization()(layers.Conv2D(3, 3, padding="same", name="conv")(inner_image))
    inner = keras.Model(inner_image, layers.Dropout(0.5)(x), name="inner")
    head = keras.Sequential(
        [layers.ReLU(), layers.GlobalAveragePooling2D(), layers.Dense(2, name="conv")]
    )
    image = keras.Input((SIZE, SIZE, 3))
    x = keras.Sequential([layers.RandomFlip(), layers.Rescaling(1 / 255)])(image)
    model = randomized(keras.Model(image, head(inner(inner(x), training=False))))
    graph = converted(model)
    # The shared model stands there twice, each time with its BatchNorm folded.
    assert [type(node).__name__ for node in graph] == [
        *("Input", "Depthwise", "Conv", "Conv", "Activation", "GlobalAverage", "Dense")
    ]
    assert [node.name for node in graph if node.name.startswith("conv")] == [
        *("conv", "conv_1", "conv_2")
    ]


def test_a_sequential_model_is_a_graph() -> None:
    converted(
        randomized(
            keras.Sequential([keras.Input((SIZE, SIZE, 3)), layers.Conv2D(2, 3, name="_odd_name")])
        )
    )


def test_a_layer_used_twice_stands_there_twice() -> None:
    conv = layers.Conv2D(4, 3, padding="same", activation="relu", name="shared")
    graph = converted(model_of(lambda x: layers.Add()([conv(conv(x)), x])))
    shared = [node.name for node in graph if node.name.startswith("shared")]
    assert shared == ["shared", "shared_relu", "shared_1", "shared_relu_1"]


def test_a_model_that_is_not_one_road_from_an_image_is_refused() -> None:
    image, other = keras.Input((SIZE, SIZE, 3)), keras.Input((SIZE, SIZE, 3))
    with pytest.raises(EdgeclfError, match="one input and one output"):
        read_keras(keras.Model([image, other], layers.Add()([image, other])))
    with pytest.raises(EdgeclfError, match="one input and one output"):
        read_keras(keras.Model(image, [layers.ReLU()(image), layers.Softmax()(image)]))
    with pytest.raises(EdgeclfError, match="functional or Sequential"):
        read_keras(keras.Sequential([layers.ReLU()], name="unbuilt"))
    anysize = keras.Input((None, None, 3))
    with pytest.raises(EdgeclfError, match="known"):
        read_keras(keras.Model(anysize, layers.ReLU()(anysize)))
    flat = keras.Input((7,))
    with pytest.raises(EdgeclfError, match=r"height, width, channels"):
        read_keras(keras.Model(flat, layers.Dense(2)(flat)))
