"""Room above the calibrated extremes, for files that compute in int16.

TFLite's quantizer takes a tensor's extremes over the calibration images for its range, and what
exceeds them on another image is cut off, at any number of bits. Of 16 bits two can be spared.
"""

import numpy as np

from ...edge_runtime.tflite.tflite_file import parse_tflite

# So many times their extremes may tensors reach.
_ROOM = 4

_WITH_BIAS = {"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV"}
_PRESCRIBED = {"SOFTMAX", "LOGISTIC", "TANH"}


def add_headroom(flatbuffer: bytes) -> bytes:
    """Return the int16x8 model `flatbuffer` with four times the range for each int16 tensor.

    Scores and other tensors whose scale TFLite prescribes stay as they are.
    """
    data = bytearray(flatbuffer)
    model = parse_tflite(data)  # its arrays lie in `data`, and so can be written
    prescribed = {
        place
        for operator in model.operators
        if operator.name in _PRESCRIBED
        for place in operator.outputs
    }
    biases = {
        operator.inputs[2]
        for operator in model.operators
        if operator.name in _WITH_BIAS and len(operator.inputs) > 2 and operator.inputs[2] >= 0
    }
    written = set()  # TFLite keeps equal biases once
    for place, tensor in enumerate(model.tensors):
        values = tensor.values()
        if place in biases and values is not None and tensor.dtype == "int64":
            tensor.scales[:] *= _ROOM
            if values.ctypes.data not in written:
                values[:] = np.rint(values / _ROOM)
            written.add(values.ctypes.data)
        elif tensor.dtype == "int16" and place not in prescribed:
            tensor.scales[:] *= _ROOM
    return bytes(data)
