"""What stands between the image and the first convolution."""

from dataclasses import dataclass

from .nodes import Conv, Depthwise, Graph, Node, ZeroPad


@dataclass(frozen=True)
class Stem:
    """The beginning of a network that has one.

    Attributes:
        normal: scales and shifts each colour; None if nothing does.
        pad: puts zeros around that; None if nothing does.
        conv: the first convolution, of one group.
    """

    normal: Depthwise | None
    pad: ZeroPad | None
    conv: Conv


def find_stem(graph: Graph) -> Stem | None:
    """Return how `graph` begins; None if otherwise than with what a stem is made of."""
    normal, pad = None, None
    last: Node = graph.input
    while len(readers := graph.consumers(last.name)) == 1:
        [last] = readers
        if isinstance(last, Conv):
            return Stem(normal, pad, last) if last.groups == 1 else None
        if isinstance(last, ZeroPad) and pad is None:
            pad = last
        elif isinstance(last, Depthwise) and last.kernel.shape == (1, 1, 3, 1) and not pad:
            if normal is not None:
                return None
            normal = last
        else:
            return None
    return None
