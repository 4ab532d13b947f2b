"""What stands in a .tflite file, read without a runtime.

Slots and numbers are those of the published schema:
https://github.com/tensorflow/tensorflow/blob/master/tensorflow/compiler/mlir/lite/schema/schema.fbs
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .flatbuffer import FlatbufferError, Table, root_table

IDENTIFIER = b"TFL3"

_TYPES = """
float32 float16 int32 uint8 int64 string bool int16 complex64 int8 float64 complex128 uint64
resource variant uint32 uint16 int4 bfloat16 int2 uint4
""".split()  # noqa: SIM905

# Those that NumPy holds too.
_NUMBERS = {
    *("float16", "float32", "float64", "bool"),
    *("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
}

_OPERATORS = """
ADD AVERAGE_POOL_2D CONCATENATION CONV_2D DEPTHWISE_CONV_2D DEPTH_TO_SPACE DEQUANTIZE
EMBEDDING_LOOKUP FLOOR FULLY_CONNECTED HASHTABLE_LOOKUP L2_NORMALIZATION L2_POOL_2D
LOCAL_RESPONSE_NORMALIZATION LOGISTIC LSH_PROJECTION LSTM MAX_POOL_2D MUL RELU RELU_N1_TO_1
RELU6 RESHAPE RESIZE_BILINEAR RNN SOFTMAX SPACE_TO_DEPTH SVDF TANH CONCAT_EMBEDDINGS SKIP_GRAM
CALL CUSTOM EMBEDDING_LOOKUP_SPARSE PAD UNIDIRECTIONAL_SEQUENCE_RNN GATHER BATCH_TO_SPACE_ND
SPACE_TO_BATCH_ND TRANSPOSE MEAN SUB DIV SQUEEZE UNIDIRECTIONAL_SEQUENCE_LSTM STRIDED_SLICE
BIDIRECTIONAL_SEQUENCE_RNN EXP TOPK_V2 SPLIT LOG_SOFTMAX DELEGATE BIDIRECTIONAL_SEQUENCE_LSTM
CAST PRELU MAXIMUM ARG_MAX MINIMUM LESS NEG PADV2 GREATER GREATER_EQUAL LESS_EQUAL SELECT SLICE
SIN TRANSPOSE_CONV SPARSE_TO_DENSE TILE EXPAND_DIMS EQUAL NOT_EQUAL LOG SUM SQRT RSQRT SHAPE POW
ARG_MIN FAKE_QUANT REDUCE_PROD REDUCE_MAX PACK LOGICAL_OR ONE_HOT LOGICAL_AND LOGICAL_NOT UNPACK
REDUCE_MIN FLOOR_DIV REDUCE_ANY SQUARE ZEROS_LIKE FILL FLOOR_MOD RANGE RESIZE_NEAREST_NEIGHBOR
LEAKY_RELU SQUARED_DIFFERENCE MIRROR_PAD ABS SPLIT_V UNIQUE CEIL REVERSE_V2 ADD_N GATHER_ND COS
WHERE RANK ELU REVERSE_SEQUENCE MATRIX_DIAG QUANTIZE MATRIX_SET_DIAG ROUND HARD_SWISH IF WHILE
NON_MAX_SUPPRESSION_V4 NON_MAX_SUPPRESSION_V5 SCATTER_ND SELECT_V2 DENSIFY SEGMENT_SUM
BATCH_MATMUL PLACEHOLDER_FOR_GREATER_OP_CODES CUMSUM CALL_ONCE BROADCAST_TO RFFT2D CONV_3D IMAG
REAL COMPLEX_ABS HASHTABLE HASHTABLE_FIND HASHTABLE_IMPORT HASHTABLE_SIZE REDUCE_ALL
CONV_3D_TRANSPOSE VAR_HANDLE READ_VARIABLE ASSIGN_VARIABLE BROADCAST_ARGS RANDOM_STANDARD_NORMAL
BUCKETIZE RANDOM_UNIFORM MULTINOMIAL GELU DYNAMIC_UPDATE_SLICE RELU_0_TO_1
""".split()  # noqa: SIM905
_CUSTOM = _OPERATORS.index("CUSTOM")


@dataclass(frozen=True)
class Tensor:
    """A tensor of the graph.

    Attributes:
        name: as the converter called it.
        shape: its sizes; -1 stands for any.
        dtype: NumPy's name of its type, or TFLite's where NumPy has none.
        scales: of its quantization: none, one, or one per channel.
        zero_points: as many.
        constant: the bytes of its values, uint8; None for what is computed.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    scales: NDArray[np.float32]
    zero_points: NDArray[np.int64]
    constant: NDArray[np.uint8] | None

    @property
    def is_float(self) -> bool:
        """Whether it holds floating-point numbers."""
        return "float" in self.dtype

    def values(self) -> NDArray[Any] | None:
        """Return the constant's numbers, flat; None if it has none or NumPy cannot hold them."""
        if self.constant is None or self.dtype not in _NUMBERS:
            return None
        dtype = np.dtype(self.dtype).newbyteorder("<")
        if self.constant.size % dtype.itemsize:
            raise FlatbufferError(f"{self.name}: {self.constant.size} bytes of {self.dtype}")
        values: NDArray[Any] = self.constant.view(dtype)
        return values


@dataclass(frozen=True)
class Operator:
    """An operator of the graph.

    Attributes:
        name: as TFLite calls it; a custom one has its maker's.
        version: which of its versions; types and options that came later have higher ones.
        inputs: places in the graph's tensors, -1 for none.
        outputs: the same.
        options: the table of a builtin operator's options; None if it has none.
    """

    name: str
    version: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Table | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True)
class TFLiteFile:
    """The first graph of a .tflite file, and what lies beside it.

    Attributes:
        tensors: all of the graph's.
        operators: in the order in which they run.
        inputs: the graph's, places in `tensors`.
        outputs: the same.
        metadata: the named buffers that are no tensor's.
        graphs: how many the file holds.
    """

    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    metadata: dict[str, bytes]
    graphs: int

    @property
    def float_operators(self) -> dict[str, int]:
        """How many operators read or write floating-point tensors, by name."""
        counts: dict[str, int] = {}
        for operator in self.operators:
            places = (*operator.inputs, *operator.outputs)
            if any(self.tensors[place].is_float for place in places if place >= 0):
                counts[operator.name] = counts.get(operator.name, 0) + 1
        return counts


def parse_tflite(data: bytes | bytearray) -> TFLiteFile:
    """Read a .tflite file; the arrays are views of `data`.

    Raises:
        FlatbufferError: it is none, is damaged, or was cut short.
    """
    model = root_table(data, IDENTIFIER)
    buffers = [_buffer(table) for table in model.tables(4)]
    codes = [(_operator_name(table), table.integer(2, "i", 1)) for table in model.tables(1)]
    graphs = model.tables(2)
    if not graphs:
        raise FlatbufferError("it holds no graph")
    graph = graphs[0]
    tensors = tuple(_tensor(table, buffers) for table in graph.tables(0))
    operators = tuple(
        Operator(
            name, version, _places(table, 1, tensors), _places(table, 2, tensors), table.table(4)
        )
        for table in graph.tables(3)
        for name, version in [_item(codes, table.integer(0, "I"))]
    )
    metadata = {
        entry.text(0) or "": _item(buffers, entry.integer(1, "I")).tobytes()
        for entry in model.tables(6)
    }
    return TFLiteFile(
        tensors=tensors,
        operators=operators,
        inputs=_places(graph, 1, tensors),
        outputs=_places(graph, 2, tensors),
        metadata=metadata,
        graphs=len(graphs),
    )


def read_quantization(data: bytes, place: int) -> tuple[float, int]:
    """Return scale and zero point of the tensor at `place` of the first graph; (0.0, 0) if none."""
    tensors = root_table(data, IDENTIFIER).tables(2)[0].tables(0)
    scales, zero_points = _quantization(_item(tensors, place))
    if not scales.size or not zero_points.size:
        return 0.0, 0
    return float(scales[0]), int(zero_points[0])


def _quantization(table: Table) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    quantization = table.table(4)
    if quantization is None:
        return np.empty(0, np.float32), np.empty(0, np.int64)
    scales = quantization.array(2, "f4").astype(np.float32, copy=False)
    return scales, quantization.array(3, "i8").astype(np.int64, copy=False)


def _buffer(table: Table) -> NDArray[np.uint8]:
    offset, size = table.integer(1, "Q"), table.integer(2, "Q")
    if offset <= 1:  # the bytes are in the table, as in every file below 2 GiB
        return table.array(0, "u1")
    if offset + size > len(table.data):
        raise FlatbufferError(f"a buffer ends at byte {offset + size} of {len(table.data)}")
    return np.frombuffer(table.data, np.uint8, count=size, offset=offset)


def _tensor(table: Table, buffers: list[NDArray[np.uint8]]) -> Tensor:
    code = table.integer(1, "B")
    scales, zero_points = _quantization(table)
    constant = _item(buffers, table.integer(2, "I"))
    shape = table.array(7, "i4") if table.position(7) else table.array(0, "i4")
    return Tensor(
        name=table.text(3) or "",
        shape=tuple(map(int, shape)),
        dtype=_TYPES[code] if code < len(_TYPES) else f"type {code}",
        scales=scales,
        zero_points=zero_points,
        constant=constant if constant.size else None,
    )


def _operator_name(table: Table) -> str:
    # The old field holds one byte; the numbers beyond stand in the new one.
    code = max(table.integer(0, "B"), table.integer(3, "i"))
    if code == _CUSTOM:
        return table.text(1) or "CUSTOM"
    return _OPERATORS[code] if code < len(_OPERATORS) else f"OPERATOR_{code}"


def _places(table: Table, slot: int, tensors: tuple[Tensor, ...]) -> tuple[int, ...]:
    places = tuple(map(int, table.array(slot, "i4")))
    for place in places:
        if not -1 <= place < len(tensors):
            raise FlatbufferError(f"it names tensor {place} of {len(tensors)}")
    return places


def _item(items: list[Any], place: int) -> Any:
    if place >= len(items):
        raise FlatbufferError(f"it names entry {place} of {len(items)}")
    return items[place]
