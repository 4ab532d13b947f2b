"""Where the windows of our convolutions and poolings lie, as ONNX wants it told: in pixels."""

from dataclasses import dataclass

from edgeclf.convert.graph.nodes import Conv, Depthwise, Pool, ZeroPad, same_padding

Pair = tuple[int, int]

_NO_ZEROS = ((0, 0), (0, 0))


@dataclass(frozen=True)
class Windows:
    """The windows of a node.

    Attributes:
        size: of a window, (height, width) in values.
        strides: down and to the right.
        dilation: the steps from value to value within a window, down and to the right.
        padding: zeros around the image: (top, left, bottom, right).
        count: how many there are, (down, to the right): the size of what the node makes.
    """

    size: Pair
    strides: Pair
    dilation: Pair
    padding: tuple[int, int, int, int]
    count: Pair


def windows_of(node: Conv | Depthwise | Pool, image: Pair, *, zeros: ZeroPad | None) -> Windows:
    """Return the windows of `node`.

    Args:
        node: a convolution or pooling.
        image: (height, width) of what it reads, without `zeros`.
        zeros: what is put around the image just before, and becomes the node's own padding.
    """
    size = node.size if isinstance(node, Pool) else (node.kernel.shape[0], node.kernel.shape[1])
    dilation = (1, 1) if isinstance(node, Pool) else node.dilation
    before, after, count = [], [], []
    for direction, (first, last) in enumerate(zeros.padding if zeros else _NO_ZEROS):
        length = image[direction] + first + last
        reach = (size[direction] - 1) * dilation[direction] + 1
        stride = node.strides[direction]
        same = same_padding(length, reach, stride) if node.padding == "same" else (0, 0)
        before.append(first + same[0])
        after.append(last + same[1])
        count.append((length + sum(same) - reach) // stride + 1)
    return Windows(
        size=size,
        strides=node.strides,
        dilation=dilation,
        padding=(before[0], before[1], after[0], after[1]),
        count=(count[0], count[1]),
    )
