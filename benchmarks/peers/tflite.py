"""A plain .tflite file, run by the device runtime."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeclf.edge_runtime.interpreter import open_interpreter


def open_tflite(path: Path, *, threads: int) -> Callable[[NDArray[np.uint8]], NDArray[np.float32]]:
    """Return what scores one RGB uint8 image (height, width, 3) with the model at `path`."""
    interpreter = open_interpreter(path.read_bytes(), name=str(path), threads=threads)
    (source,), (target,) = interpreter.get_input_details(), interpreter.get_output_details()
    scale, zero_point = target["quantization"]

    def score(image: NDArray[np.uint8]) -> NDArray[np.float32]:
        interpreter.set_tensor(source["index"], image[np.newaxis])
        interpreter.invoke()
        output = interpreter.get_tensor(target["index"])[0].astype(np.float32)
        return np.asarray((output - zero_point) * scale if scale else output, np.float32)

    return score
