"""The deploy graph: no BatchNorm left, and nothing changed in float.

A BatchNorm after a linear convolution folds into it. DenseNet normalises what it concatenates, so
half of its BatchNorms have no convolution before them: those become a 1x1 depthwise convolution,
which TFLite quantizes per channel and fuses with the ReLU, where a BatchNorm would stay a
multiplication and an addition with one scale for all channels.

Its transitions convolve every pixel and then average four of them. The average of what a 1x1
convolution makes is what it makes of the average, so that averaging first saves three quarters of
that work: 8 % of DenseNet121's multiplications.
"""

from dataclasses import replace

from .nodes import Affine, Conv, Dense, Depthwise, Graph, Node, Pool, Reshape


def deploy_graph(graph: Graph) -> Graph:
    """Return `graph` without `Affine` nodes, equal to it up to rounding."""
    return affines_to_depthwise(average_first(fold_affines(graph)))


def fold_affines(graph: Graph) -> Graph:
    """Fold each affine map into the linear node that it alone reads."""
    nodes: dict[str, Node] = {}
    renamed: dict[str, str] = {}
    for node in graph:
        inputs = tuple(renamed.get(name, name) for name in node.inputs)
        before = nodes.get(inputs[0]) if inputs else None
        if (
            isinstance(node, Affine)
            and isinstance(before, Affine | Conv | Depthwise | Dense)
            and len(graph.consumers(node.inputs[0])) == 1
        ):
            nodes[before.name] = fold_affine(before, node)
            renamed[node.name] = before.name
        else:
            nodes[node.name] = replace(node, inputs=inputs)
    return Graph(list(nodes.values()))


def average_first(graph: Graph) -> Graph:
    """Let an average pooling go before the 1x1 convolution that it alone reads."""
    convs = {
        node.inputs[0]: node
        for node in graph
        if isinstance(node, Pool) and _averages_convolution(graph, node)
    }
    pools = {pool.name: name for name, pool in convs.items()}
    nodes: list[Node] = []
    for node in graph:
        inputs = tuple(pools.get(name, name) for name in node.inputs)
        if node.name in pools:
            conv = graph[pools[node.name]]
            read = tuple(pools.get(name, name) for name in conv.inputs)
            nodes += [replace(node, inputs=read), replace(conv, inputs=(node.name,))]
        elif node.name not in convs:
            nodes.append(replace(node, inputs=inputs))
    return Graph(nodes)


def _averages_convolution(graph: Graph, pool: Pool) -> bool:
    conv = graph[pool.inputs[0]]
    return (
        pool.kind == "average"
        and pool.strides != (1, 1)
        and isinstance(conv, Conv)
        and conv.kernel.shape[:2] == (1, 1)
        and conv.strides == (1, 1)
        and len(graph.consumers(conv.name)) == 1
    )


def fold_affine(node: Affine | Conv | Depthwise | Dense, affine: Affine) -> Node:
    """Return `node` followed by `affine` as one node."""
    if isinstance(node, Affine):
        shift = node.shift * affine.scale + affine.shift
        return replace(node, scale=node.scale * affine.scale, shift=shift)
    scale = affine.scale
    if isinstance(node, Depthwise):  # what it makes lies on the last two axes
        scale = scale.reshape(node.kernel.shape[2:])
    bias = node.bias * affine.scale + affine.shift
    return replace(node, kernel=node.kernel * scale, bias=bias)


def affines_to_depthwise(graph: Graph) -> Graph:
    """Turn every affine map into a 1x1 depthwise convolution with a bias.

    A flat tensor becomes an image of one pixel for it, which costs nothing.
    """
    nodes: list[Node] = []
    for node in graph:
        if not isinstance(node, Affine):
            nodes.append(node)
        elif graph.is_image(node.name):
            nodes.append(_to_depthwise(node, node.name, node.inputs))
        else:
            channels = len(node.scale)
            pixel = Reshape(f"{node.name}_pixel", node.inputs, (1, 1, channels))
            depthwise = _to_depthwise(node, f"{node.name}_depthwise", (pixel.name,))
            nodes += [pixel, depthwise, Reshape(node.name, (depthwise.name,), (channels,))]
    return Graph(nodes)


def _to_depthwise(affine: Affine, name: str, inputs: tuple[str, ...]) -> Depthwise:
    return Depthwise(
        name,
        inputs,
        kernel=affine.scale.reshape(1, 1, -1, 1),
        bias=affine.shift,
        strides=(1, 1),
        padding="valid",
    )
