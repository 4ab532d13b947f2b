"""Which channels may leave, and what they cost, against counts made by hand and by building."""

import keras
import numpy as np
import pytest
from keras import layers
from small_networks import small_densenet

from edgeclf.models.networks.architectures import architecture
from edgeclf.models.networks.classifier import build_classifier
from edgeclf.train.slim.layout import norms_behind, read_layout
from edgeclf.train.slim.narrow import narrow


def residual() -> keras.Model:
    image = keras.Input((8, 8, 3))
    x = layers.Conv2D(16, 3, padding="same", name="stem")(image)
    y = layers.Conv2D(24, 1, name="expand")(x)
    y = layers.DepthwiseConv2D(3, padding="same", name="depthwise")(layers.ReLU(6)(y))
    y = layers.Conv2D(16, 1, name="project")(y)
    y = layers.GlobalAveragePooling2D()(layers.Add()([x, y]))
    return keras.Model(image, layers.Dense(2, activation="softmax", name="head")(y))


def test_multiplications_by_hand() -> None:
    stem, expand, depthwise, project = 9 * 3 * 16, 16 * 24, 9 * 24, 24 * 16
    layout = read_layout(residual())
    assert layout.multiplications() == 64 * (stem + expand + depthwise + project) + 16 * 2


def test_densenet121_has_the_multiplications_of_its_paper() -> None:
    """Huang et al. 2017, figure 3: about 2.8 billion for one image of 224 × 224 pixels."""
    model = build_classifier(architecture("densenet121"), classes=1000, input_hw=(224, 224))
    assert read_layout(model).multiplications() == pytest.approx(2.83e9, rel=0.005)


def test_what_is_added_may_not_leave() -> None:
    layout = read_layout(residual())
    assert layout.removable == ("expand",)
    assert layout.readers["expand"] == ("project",)


def test_of_a_densenet_all_convolutions_may_lose_channels() -> None:
    layout = read_layout(small_densenet())
    assert layout.removable == tuple(name for name in layout.layers if name.endswith("_conv"))
    assert layout.readers["conv2_block1_1_conv"] == ("conv2_block1_2_conv",)
    assert layout.readers["conv2_block1_2_conv"] == ("conv2_block2_1_conv", "pool2_conv")
    assert layout.readers["conv3_block2_2_conv"] == ("predictions",)


@pytest.mark.parametrize("name", ["densenet-tiny", "efficientnet-lite0", "mobilenetv3-small"])
def test_a_saving_is_what_the_network_without_the_channel_costs_less(name: str) -> None:
    model = build_classifier(architecture(name), classes=3, input_hw=(32, 32))
    layout = read_layout(model)
    assert layout.removable
    for source in layout.removable:
        fewer = layout.widths | {source: layout.widths[source] - 1}
        saved = layout.multiplications() - layout.multiplications(fewer)
        norms = sum(
            64 * layer.places
            for layer in layout.layers.values()
            if layer.norm_cost and source in layer.sources
        )
        assert layout.saving(source, layout.widths) == saved + norms > norms


def test_norms_cost_where_no_convolution_takes_them_in() -> None:
    layers_of = read_layout(small_densenet()).layers
    costly = {name for name, layer in layers_of.items() if layer.norm_cost}
    assert costly == {name for name in layers_of if name.endswith("_0_bn")} | {"pool2_bn", "bn"}
    lite = build_classifier(architecture("efficientnet-lite0"), classes=3, input_hw=(32, 32))
    assert not any(layer.norm_cost for layer in read_layout(lite).layers.values())


def test_a_narrow_network_costs_what_was_foretold() -> None:
    model = small_densenet()
    layout = read_layout(model)
    rng = np.random.default_rng(0)
    kept = {source: rng.random(layout.widths[source]) < 0.6 for source in layout.removable}
    widths = layout.widths | {source: int(stays.sum()) for source, stays in kept.items()}
    after = read_layout(narrow(model, layout, kept))
    assert after.multiplications() == layout.multiplications(widths)


def test_norms_behind_a_layer() -> None:
    layout = read_layout(small_densenet())
    assert norms_behind(layout, "conv2_block1_1_conv") == ("conv2_block1_1_bn",)
    assert set(norms_behind(layout, "conv2_block1_2_conv") or ()) == {
        "conv2_block2_0_bn",
        "pool2_bn",
    }
    assert "conv3_block1_0_bn" in (norms_behind(layout, "pool2_conv") or ())
    assert norms_behind(read_layout(residual()), "expand") is None
