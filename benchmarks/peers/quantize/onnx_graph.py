"""Our graph as an ONNX model, BatchNorms and all, for others to quantize."""

import numpy as np
import onnx  # type: ignore[import-not-found]
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from edgeclf.benchmarks.peers.quantize.windows import Windows, windows_of
from edgeclf.convert.graph.nodes import (
    Activation,
    Affine,
    Concat,
    Conv,
    Dense,
    Depthwise,
    Elementwise,
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
    """Return the ONNX model: normalised float32 (1, 3, height, width) in, scores out.

    As is usual there, the normalisation of the pixels is left outside, and zeros around an image
    are the padding of the convolution or pooling that follows: what they pool is never negative.
    It knows the nodes of a DenseNet and of an EfficientNet-Lite.
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
            "classifier",
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
        height, width, _ = graph.input.shape
        self._sizes = {normalisation(graph).name: (height, width)}

    def add(self, node: Node) -> None:
        match node:
            case Affine():
                # y = scale * (x - 0) / sqrt(1 + 0) + shift
                zeros, ones = np.zeros_like(node.shift), np.ones_like(node.scale)
                arrays = (node.scale, node.shift, zeros, ones)
                self._write("BatchNormalization", node, *arrays, epsilon=0.0)
            case Conv():
                kernel = node.kernel.transpose(3, 2, 0, 1)
                self._write_convolution(node, kernel, groups=node.groups)
            case Depthwise():
                height, width, channels, _ = node.kernel.shape
                kernel = node.kernel.transpose(2, 3, 0, 1).reshape(-1, 1, height, width)
                self._write_convolution(node, kernel, groups=channels)
            case Dense():
                self._write("Gemm", node, node.kernel, node.bias)
            case Pool():
                kind = "MaxPool" if node.kind == "max" else "AveragePool"
                windows = self._windows(node)
                self._write(
                    kind,
                    node,
                    kernel_shape=windows.size,
                    strides=windows.strides,
                    pads=windows.padding,
                )
            case GlobalAverage(keepdims=False):
                image = f"{node.name}_image"
                [source] = self._inputs(node)
                self.nodes += [
                    helper.make_node("GlobalAveragePool", [source], [image], image),
                    helper.make_node("Flatten", [image], [node.name], node.name),
                ]
            case Activation():
                self._write_activation(node)
            case Concat():
                self._write("Concat", node, axis=1)
            case Elementwise(kind="add"):
                self._write("Add", node)
            case ZeroPad():
                pass
            case _:
                raise NotImplementedError(f"{node.name}: {type(node).__name__}")

    def _write(
        self, kind: str, node: Node, *arrays: NDArray[np.float32] | np.float32, **attributes: object
    ) -> None:
        names = [f"{node.name}_{place}" for place in range(len(arrays))]
        self.arrays += [
            numpy_helper.from_array(np.asarray(array, order="C"), name)
            for array, name in zip(arrays, names, strict=True)
        ]
        inputs = [*self._inputs(node), *names]
        self.nodes.append(helper.make_node(kind, inputs, [node.name], node.name, **attributes))

    def _write_activation(self, node: Activation) -> None:
        match node.function:
            case "relu":
                self._write("Relu", node)
            case "relu6":
                self._write("Clip", node, np.float32(0), np.float32(6))
            case "softmax":
                self._write("Softmax", node, axis=1)
            case _:
                raise NotImplementedError(f"{node.name}: {node.function}")

    def _write_convolution(
        self, node: Conv | Depthwise, kernel: NDArray[np.float32], *, groups: int
    ) -> None:
        """Write a convolution; its kernel has the shape (out, in / groups, height, width)."""
        windows = self._windows(node)
        bias = [node.bias] if node.bias.any() else []
        self._write(
            "Conv",
            node,
            kernel,
            *bias,
            kernel_shape=windows.size,
            strides=windows.strides,
            dilations=windows.dilation,
            pads=windows.padding,
            group=groups,
        )

    def _inputs(self, node: Node) -> list[str]:
        return [self._behind_zeros(name).name for name in node.inputs]

    def _behind_zeros(self, name: str) -> Node:
        """Return the node `name`, or what it puts zeros around."""
        node = self.graph[name]
        return self.graph[node.inputs[0]] if isinstance(node, ZeroPad) else node

    def _windows(self, node: Conv | Depthwise | Pool) -> Windows:
        before = self.graph[node.inputs[0]]
        zeros = before if isinstance(before, ZeroPad) else None
        windows = windows_of(node, self._size(self._inputs(node)[0]), zeros=zeros)
        self._sizes[node.name] = windows.count
        return windows

    def _size(self, name: str) -> tuple[int, int]:
        """Return height and width of what the node `name` makes, which has been written."""
        while name not in self._sizes:
            name = self._inputs(self.graph[name])[0]
        return self._sizes[name]
