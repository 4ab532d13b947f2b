"""The architectures by name. Light: importing this loads no TensorFlow."""

from dataclasses import dataclass
from typing import Literal

from ..edge_runtime.errors import EdgeclfError


@dataclass(frozen=True)
class Architecture:
    """A DenseNet (Huang et al. 2017, https://arxiv.org/abs/1608.06993).

    Attributes:
        name: as the command line takes it.
        blocks: layers of each dense block.
        growth_rate: channels that each layer adds (k in the paper).
        stem_channels: channels of the first convolution.
        stem: `imagenet` is a 7x7 convolution and a pooling, each halving the image; `small` is one
            3x3 convolution that halves it, for images too small to lose more.
        input_size: height and width in pixels that it is meant for.
        keras_application: the class of keras.applications that downloads ImageNet weights, if any.
    """

    name: str
    blocks: tuple[int, ...]
    growth_rate: int
    stem_channels: int
    stem: Literal["imagenet", "small"]
    input_size: int
    keras_application: str | None


_ALL = (
    Architecture("densenet121", (6, 12, 24, 16), 32, 64, "imagenet", 224, "DenseNet121"),
    Architecture("densenet-small", (3, 4, 4), 12, 24, "small", 64, None),
    Architecture("densenet-tiny", (2, 2), 4, 8, "imagenet", 32, None),
)
ARCHITECTURES = {architecture.name: architecture for architecture in _ALL}


def architecture(name: str) -> Architecture:
    """Return the architecture of that name, or raise an `EdgeclfError` that lists them all."""
    try:
        return ARCHITECTURES[name]
    except KeyError:
        known = ", ".join(ARCHITECTURES)
        raise EdgeclfError(f"unknown architecture {name!r}; known: {known}") from None
