"""What a Python runtime of TFLite makes of a case; see cases.py and rows.py.

    python interpreter.py PACKAGE KERNELS CASE OUT

PACKAGE is ai-edge-litert, tflite-runtime or tensorflow; KERNELS is default (XNNPACK), plain (the
optimised kernels without a delegate) or reference. Runs in environments without edgeclf: imports
NumPy and the runtime, and writes the JSON file OUT.
"""

import base64
import json
import statistics
import sys
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

_MODULES = {
    "ai-edge-litert": "ai_edge_litert.interpreter",
    "tflite-runtime": "tflite_runtime.interpreter",
    "tensorflow": "tensorflow.lite.python.interpreter",
}
_WARM_UP, _QUERIES, _MOST_SECONDS = 3, 30, 5.0


def probe(package: str, kernels: str, case: Path) -> dict[str, Any]:
    """Run the case on one thread and return the JSON object of its row."""
    seen = {"runtime": package, "version": version(package)}
    described = json.loads((case / "case.json").read_text())
    pixels = np.frombuffer((case / "inputs.bin").read_bytes(), np.uint8)
    images = pixels.reshape(described["inputs"], *described["shape"])
    try:
        interpreter = _open(package, kernels, (case / "model.tflite").read_bytes())
        outputs = [_outputs(interpreter, image) for image in images]
    except (RuntimeError, ValueError) as error:
        return seen | {"refused": " ".join(str(error).split())}
    return seen | {
        "outputs": [
            base64.b64encode(b"".join(output[k] for output in outputs)).decode()
            for k in range(described["outputs"])
        ],
        "ms": _median_ms(interpreter),
        "delegated": sum(op["op_name"] == "DELEGATE" for op in interpreter._get_ops_details()),
    }


def _open(package: str, kernels: str, model: bytes) -> Any:
    module = import_module(_MODULES[package])
    resolver = {
        "default": module.OpResolverType.AUTO,
        "plain": module.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        "reference": module.OpResolverType.BUILTIN_REF,
    }[kernels]
    interpreter = module.Interpreter(
        model_content=model, num_threads=1, experimental_op_resolver_type=resolver
    )
    interpreter.allocate_tensors()
    return interpreter


def _outputs(interpreter: Any, image: Any) -> list[bytes]:
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], image)
    interpreter.invoke()
    tensors = [
        interpreter.get_tensor(output["index"]) for output in interpreter.get_output_details()
    ]
    return [tensor.astype(tensor.dtype.newbyteorder("<")).tobytes() for tensor in tensors]


def _median_ms(interpreter: Any) -> float:
    for _ in range(_WARM_UP):
        interpreter.invoke()
    taken: list[float] = []
    while len(taken) < _QUERIES and sum(taken) < _MOST_SECONDS:
        start = perf_counter()
        interpreter.invoke()
        taken.append(perf_counter() - start)
    return 1000 * statistics.median(taken)


if __name__ == "__main__":
    seen = probe(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
    Path(sys.argv[4]).write_text(json.dumps(seen))
