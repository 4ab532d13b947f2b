"""Our graph as an ONNX model, BatchNorms and all, for others to quantize."""

import numpy as np
import onnx  # type: ignore[import-not-found]
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from edgeclf.convert.graph.nodes import (
    Activation,
    Affine,
    Concat,
    Conv,
    Dense,
    GlobalAverage,
    Graph,
    Node,
    Pool,
    ZeroPad,
)

_OPSET = 17


def normalisation(graph: Graph) -> Affine:
    """Return the node that normalises the pixels."""
    (node,) = graph.consumers(graph.input.name)
    assert isinstance(node, Affine)
    return node


def build_onnx(graph: Graph) -> onnx.ModelProto:
    """Return the ONNX model of a DenseNet: normalised float32 (1, 3, height, width) in, scores out.

    As is usual there, the normalisation of the pixels is left outside, and zeros around an image
    are the padding of the convolution or pooling that follows: what they pool is never negative.
    """
    first = normalisation(graph)
    height, width, channels = graph.input.shape
    writing = _Writing(graph)
    for node in graph:
        if node.name not in {graph.input.name, first.name}:
            writing.add(node)
    model = helper.make_model(
        helper.make_graph(
            writing.nodes,
            "densenet",
            [
                helper.make_tensor_value_info(
                    first.name, TensorProto.FLOAT, (1, channels, height, width)
                )
            ],
            [
                helper.make_tensor_value_info(
                    graph.output.name, TensorProto.FLOAT, (1, graph.channels(graph.output.name))
                )
            ],
            writing.arrays,
        ),
        opset_imports=[helper.make_opsetid("", _OPSET)],
        ir_version=9,
    )
    onnx.checker.check_model(model, full_check=True)
    return model


class _Writing:
    """The ONNX nodes and arrays written so far."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.nodes: list[onnx.NodeProto] = []
        self.arrays: list[onnx.TensorProto] = []

    def add(self, node: Node) -> None:
        match node:
            case Affine():
                # y = scale * (x - 0) / sqrt(1 + 0) + shift
                zeros, ones = np.zeros_like(node.shift), np.ones_like(node.scale)
                arrays = (node.scale, node.shift, zeros, ones)
                self._write("BatchNormalization", node, *arrays, epsilon=0.0)
            case Conv():
                kernel = node.kernel.transpose(3, 2, 0, 1)
                bias = [node.bias] if node.bias.any() else []
                window = self._window(node, node.kernel.shape[:2])
                self._write("Conv", node, kernel, *bias, **window)
            case Dense():
                self._write("Gemm", node, node.kernel, node.bias)
            case Pool():
                kind = "MaxPool" if node.kind == "max" else "AveragePool"
                self._write(kind, node, **self._window(node, node.size))
            case GlobalAverage(keepdims=False):
                image = f"{node.name}_image"
                [source] = self._inputs(node)
                self.nodes += [
                    helper.make_node("GlobalAveragePool", [source], [image], image),
                    helper.make_node("Flatten", [image], [node.name], node.name),
                ]
            case Activation(function="relu"):
                self._write("Relu", node)
            case Activation(function="softmax"):
                self._write("Softmax", node, axis=1)
            case Concat():
                self._write("Concat", node, axis=1)
            case ZeroPad():
                pass
            case _:
                raise NotImplementedError(f"{node.name}: {type(node).__name__}")

    def _write(
        self, kind: str, node: Node, *arrays: NDArray[np.float32], **attributes: object
    ) -> None:
        names = [f"{node.name}_{place}" for place in range(len(arrays))]
        self.arrays += [
            numpy_helper.from_array(np.ascontiguousarray(array), name)
            for array, name in zip(arrays, names, strict=True)
        ]
        inputs = [*self._inputs(node), *names]
        self.nodes.append(helper.make_node(kind, inputs, [node.name], node.name, **attributes))

    def _inputs(self, node: Node) -> list[str]:
        before = [self.graph[name] for name in node.inputs]
        return [other.inputs[0] if isinstance(other, ZeroPad) else other.name for other in before]

    def _window(self, node: Conv | Pool, size: tuple[int, ...]) -> dict[str, object]:
        before = self.graph[node.inputs[0]]
        (top, bottom), (left, right) = (
            before.padding if isinstance(before, ZeroPad) else ((0, 0),) * 2
        )
        if node.padding == "same" and tuple(size) != (1, 1):
            assert node.strides == (1, 1)
            top = bottom = size[0] // 2
            left = right = size[1] // 2
        return {"kernel_shape": size, "strides": node.strides, "pads": (top, left, bottom, right)}
