"""The last dense layer of an int8 network and its softmax in int16.

In int8 the logits of 1000 classes lie 0.2 apart, so that on one image in a hundred the best two are
a tie. The layer is a thousandth of the multiplications, and in int16 it rounds nothing that
matters. TFLite's converter cannot mix the two: its int8 file is rewritten.
"""

from dataclasses import replace
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from flatbuffers import Builder  # type: ignore[import-untyped]

from ..edge_runtime.tflite_file import IDENTIFIER
from .graph import Activation, Dense, Graph

# Logits may reach so many times the extremes of their int8 range: of 16 bits two can be spared.
_ROOM = 4
_LARGEST = 32767

# So many steps of int16 are one of int8 in what the layer reads: all 255 fit.
_FINER = 128

# The versions of the operators that take int16; the dense layer has a scale for each class.
_VERSIONS = {"QUANTIZE": 3, "FULLY_CONNECTED": 12, "SOFTMAX": 3}

# TFLite's softmax in int16 gives a class that lies 10 or more below the best logit two steps of
# 1/32768, which the best ones miss. Of fewer classes than these it is less than a step of uint8.
_STEPS_OF_NOTHING = 2
_MANY_CLASSES = 64
_MUL_VERSION = 4

_ALIGNMENT = 16


def widen_dense(graph: Graph) -> Graph:
    """Return `graph` with the dense layer before its softmax, if there is one, marked as wide."""
    dense = _last_dense(graph)
    return Graph([replace(node, wide=True) if node is dense else node for node in graph])


def wide_dense(graph: Graph) -> Dense | None:
    """Return the dense layer that int8 recipes compute in int16, if there is one."""
    dense = _last_dense(graph)
    return dense if dense is not None and dense.wide else None


def has_softmax_head(graph: Graph) -> bool:
    """Tell whether `graph` ends in a dense layer and a softmax."""
    return _last_dense(graph) is not None


def _last_dense(graph: Graph) -> Dense | None:
    softmax = graph.output
    if not isinstance(softmax, Activation) or softmax.function != "softmax":
        return None
    dense = graph[softmax.inputs[0]]
    return dense if isinstance(dense, Dense) else None


def widen_head(flatbuffer: bytes) -> bytes:
    """Return the int8 model `flatbuffer` with its last dense layer and its softmax in int16."""
    model: Any = schema.ModelT.InitFromObj(schema.Model.GetRootAs(flatbuffer))
    _Head(model).widen()
    return _packed(model, len(flatbuffer))


def complete_scores(flatbuffer: bytes) -> bytes:
    """Return the int16 model `flatbuffer` with what its softmax leaves of the best classes' scores.

    See `_STEPS_OF_NOTHING`. With few classes that is nothing, and the file stays as it is.
    """
    model: Any = schema.ModelT.InitFromObj(schema.Model.GetRootAs(flatbuffer))
    return _packed(model, len(flatbuffer)) if _Head(model).complete() else flatbuffer


def _packed(model: Any, size: int) -> bytes:
    builder = _AlignedBuilder(size + 4096)
    builder.Finish(model.Pack(builder), IDENTIFIER)
    return bytes(builder.Output())


class _Head:
    """The softmax of a model and the dense layer that it reads."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self._graph = model.subgraphs[0]
        self._tensors = self._graph.tensors
        self._codes = {name: getattr(schema.BuiltinOperator, name) for name in _VERSIONS}
        [self._softmax] = self._operators("SOFTMAX")
        [self._dense] = [
            operator
            for operator in self._operators("FULLY_CONNECTED")
            if operator.outputs[0] == self._softmax.inputs[0]
        ]

    def widen(self) -> None:
        dense, softmax = self._dense, self._softmax
        narrow = dense.inputs[0]
        step = self._tensors[narrow].quantization.scale[0] / _FINER
        wide = self._new_tensor(self._tensors[narrow], b"features", step)
        self._insert_quantize(narrow, wide, before=dense)
        dense.inputs = np.array([wide, *dense.inputs[1:]], np.int32)
        self._refine_bias()
        self._widen_logits(self._tensors[dense.outputs[0]])
        scores = softmax.outputs[0]
        wide = self._new_tensor(self._tensors[scores], b"scores", 1 / (_LARGEST + 1))
        reader = self._reader(scores)
        softmax.outputs = np.array([wide], np.int32)
        self._insert_quantize(self._whole(wide, before=reader), scores, before=reader)
        for name, version in _VERSIONS.items():
            for code in self._model.operatorCodes:
                if code.builtinCode == self._codes[name]:
                    code.version = max(code.version, version)

    def complete(self) -> bool:
        """Give readers of an int16 softmax whole scores; return whether that changes anything."""
        scores = self._softmax.outputs[0]
        reader = self._reader(scores)
        whole = self._whole(scores, before=reader)
        reader.inputs = np.array([whole], np.int32)
        return bool(whole != scores)

    def _whole(self, scores: int, *, before: Any) -> int:
        """Return the tensor of the scores in full, which `before` will read."""
        classes = int(self._tensors[scores].shape[-1])
        if classes < _MANY_CLASSES:
            return scores
        missed = _STEPS_OF_NOTHING * classes / (_LARGEST + 1)
        return self._insert_gain(scores, 1 + missed, before=before)

    def _reader(self, tensor: int) -> Any:
        return next(op for op in self._graph.operators if tensor in op.inputs)

    def _operators(self, name: str) -> list[Any]:
        codes = self._model.operatorCodes
        return [
            operator
            for operator in self._graph.operators
            if codes[operator.opcodeIndex].builtinCode == self._codes[name]
        ]

    def _widen_logits(self, logits: Any) -> None:
        """Give them 16 bits and four times their range."""
        quantization = logits.quantization
        [scale], [zero_point] = quantization.scale, quantization.zeroPoint
        extreme = float(scale) * max(127 - int(zero_point), 128 + int(zero_point))
        logits.type = schema.TensorType.INT16
        quantization.scale = np.array([_ROOM * extreme / _LARGEST], np.float32)
        quantization.zeroPoint = np.zeros(1, np.int64)

    def _refine_bias(self) -> None:
        """Bring the bias to the steps of the products, in int64 as the operator wants it."""
        places = self._dense.inputs
        if len(places) < 3 or places[2] < 0:
            return
        read, kernel, bias = (self._tensors[place] for place in places)
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

    def _insert_gain(self, source: int, gain: float, *, before: Any) -> int:
        """Multiply the scores, which stay below 1; return the product's tensor."""
        factor = self._new_tensor(self._tensors[source], b"gain", gain / _LARGEST)
        product = self._new_tensor(self._tensors[source], b"whole", 1 / (_LARGEST + 1))
        buffer = schema.BufferT()
        buffer.data = np.array([_LARGEST], "<i2").view(np.uint8)
        self._tensors[factor].shape = np.ones(1, np.int32)
        self._tensors[factor].buffer = len(self._model.buffers)
        self._model.buffers.append(buffer)
        code = schema.OperatorCodeT()
        code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.MUL
        code.version = _MUL_VERSION
        operator = schema.OperatorT()
        operator.opcodeIndex = len(self._model.operatorCodes)
        self._model.operatorCodes.append(code)
        operator.builtinOptionsType = schema.BuiltinOptions.MulOptions
        operator.builtinOptions = schema.MulOptionsT()
        operator.inputs = np.array([source, factor], np.int32)
        operator.outputs = np.array([product], np.int32)
        self._graph.operators.insert(self._graph.operators.index(before), operator)
        return product

    def _insert_quantize(self, source: int, target: int, *, before: Any) -> None:
        like = self._operators("QUANTIZE")[0]
        operator = schema.OperatorT()
        operator.opcodeIndex = like.opcodeIndex
        operator.builtinOptionsType = like.builtinOptionsType
        operator.builtinOptions = like.builtinOptions
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
