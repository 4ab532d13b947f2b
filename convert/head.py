"""The end of an int8 network in int16: mean, dense layer and softmax.

In int8 the logits of 1000 classes lie 0.2 apart, so that on one image in a hundred the best two are
a tie. The head is a thousandth of the multiplications, and in int16 it rounds nothing that matters.
TFLite's converter cannot mix the two: its int8 file is rewritten.
"""

from dataclasses import replace
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from flatbuffers import Builder  # type: ignore[import-untyped]

from ..edge_runtime.tflite_file import IDENTIFIER
from .graph import Activation, Dense, GlobalAverage, Graph, Reshape

# A tensor may reach so many times the extremes of its int8 range: of 16 bits two can be spared.
_ROOM = 4
_LARGEST = 32767

# So many steps of int16 are one of int8 where features pass from one to the other.
_FINER = 128

# The versions of the operators that take int16; the dense layer has a scale for each class.
_VERSIONS = {"QUANTIZE": 3, "MEAN": 3, "FULLY_CONNECTED": 12, "SOFTMAX": 3}

_ALIGNMENT = 16


def widen_dense(graph: Graph) -> Graph:
    """Return `graph` with its last dense layer marked as wide, if it weighs a global average."""
    head = _head(graph)
    dense = head[-1] if head else None
    return Graph(
        [
            replace(node, wide=True) if node.name == dense and isinstance(node, Dense) else node
            for node in graph
        ]
    )


def wide_tensors(graph: Graph) -> tuple[str, ...]:
    """Return the nodes whose values int8 recipes keep in int16, in order."""
    head = _head(graph)
    dense = graph[head[-1]] if head else None
    return head if isinstance(dense, Dense) and dense.wide else ()


def _head(graph: Graph) -> tuple[str, ...]:
    """Return the nodes from the global average to the dense layer before the softmax, if so."""
    softmax = graph.output
    if not isinstance(softmax, Activation) or softmax.function != "softmax":
        return ()
    node = graph[softmax.inputs[0]]
    if not isinstance(node, Dense):
        return ()
    names = [node.name]
    while not isinstance(node, GlobalAverage):
        node = graph[node.inputs[0]]
        if not isinstance(node, Reshape | GlobalAverage):
            return ()
        names.append(node.name)
    return tuple(reversed(names))


def widen_head(flatbuffer: bytes) -> bytes:
    """Return the int8 model `flatbuffer` with all between its last mean and its scores in int16."""
    model: Any = schema.ModelT.InitFromObj(schema.Model.GetRootAs(flatbuffer))
    _Head(model).widen()
    builder = _AlignedBuilder(len(flatbuffer) + 4096)
    builder.Finish(model.Pack(builder), IDENTIFIER)
    return bytes(builder.Output())


class _Head:
    """The operators of a model's head: MEAN, RESHAPE, FULLY_CONNECTED, SOFTMAX."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self._graph = model.subgraphs[0]
        self._tensors = self._graph.tensors
        self._codes = {
            name: getattr(schema.BuiltinOperator, name) for name in (*_VERSIONS, "RESHAPE")
        }
        operators = [self._find("SOFTMAX")]
        while self._kind(operators[0]) != self._codes["MEAN"]:
            operators.insert(0, self._maker(operators[0].inputs[0]))
        self._mean, *self._between, self._softmax = operators

    def widen(self) -> None:
        mean, softmax = self._mean, self._softmax
        features = self._tensors[mean.inputs[0]]
        step = features.quantization.scale[0] / _FINER
        wide = self._new_tensor(features, b"features", step)
        self._insert_quantize(mean.inputs[0], wide, before=mean)
        mean.inputs = np.array([wide, *mean.inputs[1:]], np.int32)
        for operator in (mean, *self._between):
            self._widen(self._tensors[operator.outputs[0]])
            if self._kind(operator) == self._codes["FULLY_CONNECTED"]:
                self._refine_bias(operator)
        scores = softmax.outputs[0]
        wide = self._new_tensor(self._tensors[scores], b"scores", 1 / (_LARGEST + 1))
        reader = next(op for op in self._graph.operators if scores in op.inputs)
        self._insert_quantize(wide, scores, before=reader)
        softmax.outputs = np.array([wide], np.int32)
        for code in self._model.operatorCodes:
            for name, version in _VERSIONS.items():
                if code.builtinCode == self._codes[name]:
                    code.version = max(code.version, version)

    def _find(self, name: str) -> Any:
        [found] = [op for op in self._graph.operators if self._kind(op) == self._codes[name]]
        return found

    def _maker(self, tensor: int) -> Any:
        return next(op for op in self._graph.operators if tensor in op.outputs)

    def _kind(self, operator: Any) -> int:
        kind: int = self._model.operatorCodes[operator.opcodeIndex].builtinCode
        return kind

    def _widen(self, tensor: Any) -> None:
        """Give an int8 tensor 16 bits and four times its range."""
        quantization = tensor.quantization
        [scale], [zero_point] = quantization.scale, quantization.zeroPoint
        extreme = float(scale) * max(127 - int(zero_point), 128 + int(zero_point))
        tensor.type = schema.TensorType.INT16
        quantization.scale = np.array([_ROOM * extreme / _LARGEST], np.float32)
        quantization.zeroPoint = np.zeros(1, np.int64)

    def _refine_bias(self, dense: Any) -> None:
        """Bring the bias to the steps of the products, in int64 as the operator wants it."""
        if len(dense.inputs) < 3 or dense.inputs[2] < 0:
            return
        read, kernel, bias = (self._tensors[place] for place in dense.inputs)
        old = bias.quantization.scale.astype(np.float64)
        new = (read.quantization.scale * kernel.quantization.scale).astype(np.float32)
        values = self._model.buffers[bias.buffer].data.view("<i4")
        buffer = schema.BufferT()
        buffer.data = np.rint(values * old / new).astype("<i8").view(np.uint8)
        bias.buffer = len(self._model.buffers)
        self._model.buffers.append(buffer)
        bias.type = schema.TensorType.INT64
        bias.quantization.scale = new
        bias.quantization.zeroPoint = np.zeros(len(new), np.int64)

    def _new_tensor(self, like: Any, name: bytes, scale: float) -> int:
        tensor = schema.TensorT()
        tensor.name, tensor.shape = name + b"_int16", like.shape
        tensor.type = schema.TensorType.INT16
        tensor.quantization = schema.QuantizationParametersT()
        tensor.quantization.scale = np.array([scale], np.float32)
        tensor.quantization.zeroPoint = np.zeros(1, np.int64)
        self._tensors.append(tensor)
        return len(self._tensors) - 1

    def _insert_quantize(self, source: int, target: int, *, before: Any) -> None:
        like = next(op for op in self._graph.operators if self._kind(op) == self._codes["QUANTIZE"])
        operator = schema.OperatorT()
        operator.opcodeIndex = like.opcodeIndex
        operator.builtinOptionsType, operator.builtinOptions = (
            like.builtinOptionsType,
            like.builtinOptions,
        )
        operator.inputs = np.array([source], np.int32)
        operator.outputs = np.array([target], np.int32)
        self._graph.operators.insert(self._graph.operators.index(before), operator)


class _AlignedBuilder(Builder):  # type: ignore[misc]
    """Puts the tensors' bytes where any type of number may lie, as the schema demands."""

    def CreateNumpyVector(self, x: np.ndarray[Any, Any]) -> int:  # noqa: N802
        self.StartVector(x.itemsize, x.size, _ALIGNMENT)
        self.head -= x.nbytes
        self.Bytes[self.head : self.head + x.nbytes] = x.tobytes()
        end: int = self.EndVector()
        return end
