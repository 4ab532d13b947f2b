"""The first convolution reads pixels as they are, two at a time.

A network normalises its pixels first, (x - mean) / deviation. In int8 that rounds them again, and
costs an operator over the largest image of all, of three channels where kernels work on eight or
sixteen at once. Folded into the first convolution it is exact but for the border, where the
convolution sees zeros that are no pixels. So every pixel gets a mask as a fourth channel, which the
kernel weighs with what the normalisation adds.

Most first convolutions take two steps to the right at a time. Two neighbours then can be the
channels of one place: the rows of an image lie in memory like that anyway, and eight channels are
what integer kernels of a CPU multiply at once where three would be filled up with zeros. DenseNet's
kernel of 7x7 places and 3 channels becomes one of 7x4 places and 8 channels. Where normalisation
adds nothing, as after `input_zero`, there is no mask, and a pair has 6 channels.
"""

from dataclasses import dataclass, replace

import numpy as np

from ..graph.nodes import (
    Array,
    Conv,
    Graph,
    Node,
    PixelPairs,
    Reshape,
    ZeroPad,
    same_padding,
)
from ..graph.stem import find_stem
from .technique import Technique

_MASK = 255


@dataclass(frozen=True)
class _Stem:
    """What stands between the image and what the first convolution makes.

    Attributes:
        nodes: the names of all of it, but for the image and the convolution.
        scale: of each colour, shape (3,).
        shift: the same; what is padded is 0 after it.
        rows: zeros above and below.
        left: zeros to the left.
        right: zeros to the right.
        conv: the first convolution.
    """

    nodes: tuple[str, ...]
    scale: Array
    shift: Array
    rows: tuple[int, int]
    left: int
    right: int
    conv: Conv

    @property
    def has_mask(self) -> bool:
        """Whether normalisation adds something, which what is padded goes without."""
        return bool(self.shift.any())


def pixel_pairs(graph: Graph) -> Graph:
    """Return `graph` with a first convolution that reads pixels in pairs, equal to it in float.

    A graph that begins otherwise than with a convolution of stride 2 over an even number of pixels
    a row is returned as it is.
    """
    stem = _find_stem(graph)
    if stem is None:
        return graph
    height, width, _ = graph.input.shape
    skipped = stem.left % 2  # places of the first pair that the kernel does not reach
    pairs_left = (stem.left + skipped) // 2
    taps = -(-(skipped + stem.conv.kernel.shape[1]) // 2)
    made = (stem.left + width + stem.right - stem.conv.kernel.shape[1]) // 2 + 1
    pairs_right = made - 1 + taps - pairs_left - width // 2
    image, conv = graph.input.name, stem.conv
    pairs, masked = f"{image}_pairs", f"{image}_pixels"
    begin: list[Node] = [
        graph.input,
        Reshape(pairs, (image,), (height, width // 2, 6)),
        *([PixelPairs(masked, (pairs,))] if stem.has_mask else []),
        ZeroPad(
            f"{image}_padded",
            (masked if stem.has_mask else pairs,),
            (stem.rows, (pairs_left, pairs_right)),
        ),
        replace(
            conv,
            inputs=(f"{image}_padded",),
            kernel=_paired_kernel(stem, skipped=skipped, taps=taps),
            strides=(conv.strides[0], 1),
            padding="valid",
        ),
    ]
    replaced = {image, conv.name, *stem.nodes}
    return Graph([*begin, *(node for node in graph if node.name not in replaced)])


def _paired_kernel(stem: _Stem, *, skipped: int, taps: int) -> Array:
    kernel = stem.conv.kernel
    height, width, _, into = kernel.shape
    read = kernel * stem.scale[:, np.newaxis]
    if stem.has_mask:
        mask = np.einsum("hwco,c->hwo", kernel, stem.shift) / _MASK
        read = np.concatenate([read, mask[:, :, np.newaxis]], axis=2)
    rows = np.zeros((height, 2 * taps, *read.shape[2:]), np.float32)
    rows[:, skipped : skipped + width] = read
    return rows.reshape(height, taps, -1, into)


def _find_stem(graph: Graph) -> _Stem | None:
    stem = find_stem(graph)
    height, width, colours = graph.input.shape
    if stem is None or colours != 3 or width % 2:
        return None
    conv, normal, pad = stem.conv, stem.normal, stem.pad
    if conv.dilation != (1, 1) or conv.strides[1] != 2:
        return None
    rows, (left, right) = pad.padding if pad else ((0, 0), (0, 0))
    if conv.padding == "same":
        if any((*rows, left, right)):
            return None
        rows, (left, right) = (
            same_padding(length, size, stride)
            for length, size, stride in zip(
                (height, width), conv.kernel.shape[:2], conv.strides, strict=True
            )
        )
    scale = normal.kernel.ravel() if normal else np.ones(3, np.float32)
    shift = normal.bias if normal else np.zeros(3, np.float32)
    nodes = tuple(node.name for node in (normal, pad) if node)
    return _Stem(nodes, scale, shift, rows, left, right, conv)


TECHNIQUE = Technique("pixel_pairs", lambda graph, _: pixel_pairs(graph))
