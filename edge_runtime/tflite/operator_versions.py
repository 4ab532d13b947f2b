"""Facts about TensorFlow Lite's operators: which release first ran which version of each.

Releases are those of `FindMinimumRuntimeVersionForOp`, the version that a type asks for those of
`GetBuiltinOperatorVersion`, which a quantizer that runs after it does not always write:
https://github.com/tensorflow/tensorflow/blob/master/tensorflow/compiler/mlir/lite/tools/versioning/runtime_version.cc
https://github.com/tensorflow/tensorflow/blob/master/tensorflow/compiler/mlir/lite/tools/versioning/op_version.cc
The second one takes int16 activations with int8 weights for version 1; the releases that brought
their kernels (2.3 and 2.4) are those of its versions for int16.
"""

from functools import cache

Version = tuple[int, ...]

# A line is an operator, and the release of each of its versions, from 1 on.
_RELEASES = """
ABS 1.13 2.4 2.5 2.6 2.12
ADD 1.5 1.14 2.4 2.6 2.13 2.23
ARG_MAX 1.9 1.14 2.9
ARG_MIN 1.9 1.14 2.9
AVERAGE_POOL_2D 1.5 1.14 2.3
BATCH_MATMUL 2.3 2.3 2.4 2.5
BATCH_TO_SPACE_ND 1.6 1.14 2.3 2.12
CAST 1.5 2.7 2.8 2.9 2.12 2.15 2.17 2.21
CONCATENATION 1.5 1.14 2.3 2.14 2.21 2.23
CONV_2D 1.5 1.14 1.14 2.3 2.4 2.9 2.11 2.15
DEPTHWISE_CONV_2D 1.5 1.12 1.14 2.2 2.3 2.3 2.11
DEPTH_TO_SPACE 2.1 2.5
DEQUANTIZE 1.13.1 1.14 1.15 2.2 2.7 2.18 2.21 2.22
DIV 1.6 2.3
ELU 1.14
EXP 1.7 2.12
EXPAND_DIMS 1.10
FILL 1.13 2.3 2.5 2.12
FLOOR 1.9
FULLY_CONNECTED 1.5 1.10 1.14 1.14 2.0 2.1 2.3 2.3 2.3 2.11 2.15 2.17 2.18 2.21
GATHER 1.6 1.14 1.15 2.4 2.5 2.13 2.15
GATHER_ND 1.14 2.3 2.5 2.13 2.16
GELU 2.9 2.9
HARD_SWISH 1.15
L2_NORMALIZATION 1.5 1.14
LEAKY_RELU 1.13.1 2.3
LOCAL_RESPONSE_NORMALIZATION 1.5
LOG 1.14 2.15
LOGISTIC 1.14 1.14 2.3
LOG_SOFTMAX 1.14 1.14
MAXIMUM 1.14 1.14 2.3 2.3
MAX_POOL_2D 1.5 1.14 2.3
MEAN 1.6 1.14 2.4
MINIMUM 1.14 1.14 2.3 2.3
MIRROR_PAD 1.13.1 2.3 2.12
MUL 1.5 1.14 1.15 2.3 2.6 2.11 2.13 2.23
NEG 1.9
PACK 1.11 1.14 2.3 2.13
PAD 1.5 1.14 2.4 2.6 2.20
PADV2 1.9 1.14 2.4 2.6 2.20
POW 1.10
PRELU 1.8
QUANTIZE 1.14 1.15 2.7 2.21 2.21 2.21
REDUCE_MAX 1.11 1.14 2.5
REDUCE_MIN 1.11 1.14 2.5
REDUCE_PROD 1.11 2.6
RELU 1.5 2.1 2.5
RELU6 1.5 1.14 2.5
RELU_N1_TO_1 1.5
RESHAPE 1.5
RESIZE_BILINEAR 1.7 1.14 2.2 2.5
RESIZE_NEAREST_NEIGHBOR 1.13.1 1.14 2.3 2.4
RSQRT 1.10 2.5 2.15
SHAPE 1.10
SLICE 1.14 1.14 1.14 2.4 2.5 2.14 2.21
SOFTMAX 1.5 1.14 2.3 2.23
SPACE_TO_BATCH_ND 1.6 1.14 2.3 2.12
SPACE_TO_DEPTH 1.5 1.14
SPLIT 1.5 1.14 1.14 2.3
SPLIT_V 1.13.1 2.3
SQRT 1.10 2.21
SQUARE 1.12
SQUARED_DIFFERENCE 1.13.1 2.5
SQUEEZE 1.6 2.5
STRIDED_SLICE 1.6 1.14 2.1 2.2 2.5 2.6 2.14 2.14
SUB 1.6 1.14 2.3 2.4 2.4
SUM 1.10 1.15
TANH 1.14 1.14 2.3
TILE 1.10.1 2.2 2.8
TOPK_V2 1.7 1.14 2.13
TRANSPOSE 1.6 1.14 1.15 2.3 2.4 2.12 2.14.4 2.22
TRANSPOSE_CONV 1.9 2.2 2.3 2.13 2.15
UNPACK 1.11 1.14 2.2 2.3 2.22
"""

# The version that the type of the first input asks for.
_INT8_2_INT16_3 = {"int8": 2, "int16": 3}
VERSION_BY_INPUT: dict[str, dict[str, int]] = {
    **dict.fromkeys(
        (
            *("ADD", "AVERAGE_POOL_2D", "BATCH_MATMUL", "CONCATENATION", "LOGISTIC"),
            *("MAX_POOL_2D", "MEAN", "PAD", "PADV2", "REDUCE_MAX", "REDUCE_MIN", "RELU6"),
            *("SOFTMAX", "TANH"),
        ),
        _INT8_2_INT16_3,
    ),
    "DEQUANTIZE": {"int8": 2, "int16": 3, "float16": 3},
    "LEAKY_RELU": {"int16": 2},
    "MAXIMUM": {"int8": 2, "int16": 4},
    "MINIMUM": {"int8": 2, "int16": 4},
    "MUL": {"int8": 2, "int16": 4},
    "RELU": {"int8": 2, "uint8": 2, "int16": 3},
    "RESIZE_BILINEAR": {"int8": 2, "int16": 4},
    "RESIZE_NEAREST_NEIGHBOR": {"int8": 2, "int16": 4},
    "SPLIT_V": {"int8": 2},
    "STRIDED_SLICE": {"int8": 2},
    "SUB": {"int8": 2, "int16": 5},
    "SUM": {"int8": 2},
    "TRANSPOSE": {"int8": 2, "int16": 5},
}

# The version that the types of the first input and of the weights ask for.
VERSION_BY_WEIGHTS: dict[str, dict[tuple[str, str], int]] = {
    "CONV_2D": {
        ("float32", "int8"): 2,
        ("int8", "int8"): 3,
        ("int16", "int8"): 4,
        ("int8", "int4"): 7,
    },
    "DEPTHWISE_CONV_2D": {
        ("int8", "int8"): 3,
        ("float32", "int8"): 4,
        ("int16", "int8"): 5,
        ("int8", "int4"): 7,
    },
    "FULLY_CONNECTED": {
        ("float32", "int8"): 3,
        ("int8", "int8"): 4,
        ("int16", "int8"): 7,
        ("int8", "int4"): 10,
        ("int16", "int4"): 13,
    },
}
# The same for weights with a scale per channel that meet float activations.
VERSION_PER_CHANNEL = {"CONV_2D": 5, "DEPTHWISE_CONV_2D": 6, "FULLY_CONNECTED": 12}

# What no version tells apart, found by running it. A dense layer with a scale per channel is right
# in TensorFlow 2.12.1, the oldest that was tried. QUANTIZE from int8 to int16 is refused by
# TensorFlow 2.21.0 and ai-edge-litert 2.1.2, and runs in ai-edge-litert 2.1.3, whose operators are
# those that the table dates to 2.22.
DENSE_PER_CHANNEL: Version = (2, 12, 0)
QUANTIZE_INT8_TO_INT16: Version = (2, 22, 0)

# Each ai-edge-litert from which on the operators of a TensorFlow release were all found.
LITERT_RELEASES: tuple[tuple[Version, Version], ...] = (
    ((2, 18), (1, 0, 0)),
    ((2, 20), (2, 0, 2)),
    ((2, 21), (2, 1, 2)),
    ((2, 22), (2, 1, 3)),
    ((2, 23), (2, 1, 6)),
)
# Those that it got later than that.
LITERT_LATER: dict[tuple[str, int], Version] = {
    ("CAST", 7): (1, 1, 2),
    ("TRANSPOSE", 7): (1, 2, 0),
    ("QUANTIZE", 5): (2, 1, 3),
    ("QUANTIZE", 6): (2, 1, 3),
    ("TRANSPOSE", 8): (2, 1, 6),
}
# Of those that were tried.
NEWEST_LITERT: Version = (2, 3, 0)
NEWEST_TENSORFLOW: Version = (2, 21, 0)
LAST_TFLITE_RUNTIME: Version = (2, 14, 0)  # no other is going to come


def first_release(name: str, version: int) -> Version | None:
    """Return the TensorFlow release that first ran `version` of the operator; None: not known."""
    releases = _releases().get(name, ())
    return releases[version - 1] if 0 < version <= len(releases) else None


def parse_version(text: str) -> Version:
    """Return the numbers that a version begins with, three of them: (2, 14, 0) of `2.14.0.post1`.

    What holds none is (0, 0, 0).
    """
    numbers: list[int] = []
    for part in text.split(".")[:3]:
        if not part.isdecimal():
            break
        numbers.append(int(part))
    return tuple(numbers + [0] * (3 - len(numbers)))


def version_text(version: Version) -> str:
    """Return `version` as it is written: `2.14.0`."""
    return ".".join(map(str, version))


@cache
def _releases() -> dict[str, tuple[Version, ...]]:
    rows = (line.split() for line in _RELEASES.split("\n") if line)
    return {name: tuple(map(parse_version, releases)) for name, *releases in rows}
