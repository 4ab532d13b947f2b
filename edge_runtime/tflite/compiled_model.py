"""LiteRT's `CompiledModel` behind the calls of an interpreter: `--runtime compiled`.

It computes on the CPU, by XNNPACK, unless a GPU or NPU is asked for. It does not tell scales and
zero points, so they are read from the file.
"""

import weakref
from functools import cached_property
from types import SimpleNamespace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import EdgeclfError
from ..quiet import quiet_exit, quiet_stderr
from .tflite_file import TFLiteFile, parse_tflite, read_quantization

# The first whose CompiledModel takes a number of threads.
OLDEST_LITERT = "2.1.6"


class CompiledModelInterpreter:
    """A model compiled by LiteRT, with the calls and the tensor indices of an `Interpreter`."""

    def __init__(
        self, model: bytes, *, threads: int, hardware: Literal["cpu", "gpu", "npu"] = "cpu"
    ) -> None:
        """Compile `model`, the bytes of a .tflite file, to run on `threads` threads.

        Args:
            model: the file.
            threads: of the CPU.
            hardware: takes the operators that it can compute; the CPU has the others.

        Raises:
            ValueError, RuntimeError: the runtime refuses the model.
        """
        classes = compiled_model_classes()
        accelerators = classes.HardwareAccelerator
        options = classes.Options(
            hardware_accelerators=accelerators[hardware.upper()] | accelerators.CPU,
            cpu_options=classes.CpuOptions(num_threads=threads),
        )
        self._model = model  # the compiled model reads its weights in place
        compiled = classes.CompiledModel.from_buffer(model, options=options)
        [(signature, names), *_] = compiled.get_signature_list().items()
        details = compiled.get_input_tensor_details(signature)
        self._input_details = [self._details(details[name]) for name in names["inputs"]]
        details = compiled.get_output_tensor_details(signature)
        self._output_details = [self._details(details[name]) for name in names["outputs"]]
        inputs, outputs = compiled.create_input_buffers(0), compiled.create_output_buffers(0)
        self._native = SimpleNamespace(compiled=compiled, inputs=inputs, outputs=outputs)
        weakref.finalize(self, _release, self._native)
        quiet_exit()
        for details in self._input_details:  # the first write starts the runtime anew, aloud
            self.set_tensor(details["index"], np.zeros(details["shape"], details["dtype"]))

    def _details(self, details: dict[str, Any]) -> dict[str, Any]:
        return {
            "name": details["name"],
            "index": details["index"],
            "shape": np.asarray(details["shape"], np.int32),
            "dtype": np.dtype(details["dtype"]).type,
            "quantization": read_quantization(self._model, details["index"]),
        }

    @property
    def whole(self) -> bool:
        """Whether LiteRT says that the hardware which was asked for runs the whole model."""
        return bool(self._native.compiled.is_fully_accelerated())

    def invoke(self) -> None:
        """Compute the outputs from the inputs."""
        native = self._native
        native.compiled.run_by_index(0, native.inputs, native.outputs)

    def get_input_details(self) -> list[dict[str, Any]]:
        """Return name, index, shape, dtype and quantization (scale, zero point) of each input."""
        return self._input_details

    def get_output_details(self) -> list[dict[str, Any]]:
        """Return the same of each output."""
        return self._output_details

    def get_tensor_details(self) -> list[dict[str, Any]]:
        """Return name, index, shape and dtype of every tensor, as the file has them."""
        return [
            {
                "name": tensor.name,
                "index": place,
                "shape": tensor.shape,
                "dtype": _type(tensor.dtype),
            }
            for place, tensor in enumerate(self._parsed.tensors)
        ]

    def _get_ops_details(self) -> list[dict[str, Any]]:
        return [
            {"op_name": operator.name, "inputs": operator.inputs, "outputs": operator.outputs}
            for operator in self._parsed.operators
        ]

    @cached_property
    def _parsed(self) -> TFLiteFile:
        return parse_tflite(self._model)

    def set_tensor(self, tensor_index: int, value: NDArray[Any]) -> None:
        """Copy `value` into the input of that index; another shape or dtype is a ValueError."""
        place, details = _find(self._input_details, tensor_index)
        shape, dtype = tuple(details["shape"].tolist()), np.dtype(details["dtype"])
        if value.shape != shape or value.dtype != dtype:
            raise ValueError(f"expected {dtype} {shape}, got {value.dtype} {value.shape}")
        self._native.inputs[place].write(value)

    def get_tensor(self, tensor_index: int) -> NDArray[Any]:
        """Return a copy of the output of that index."""
        place, details = _find(self._output_details, tensor_index)
        count = int(np.prod(details["shape"]))
        values = np.asarray(self._native.outputs[place].read(count, details["dtype"]))
        return values.reshape(tuple(details["shape"].tolist()))


def compiled_model_classes() -> Any:
    """Import LiteRT's module of compiled models, with `CompiledModel`, `Options` and `CpuOptions`.

    Raises:
        EdgeclfError: ai-edge-litert is missing or too old, or lacks what it needs itself.
    """
    try:
        from ai_edge_litert import compiled_model
    except ImportError as error:
        # ai-edge-litert 2.3.0 imports ml_dtypes there, and does not ask for it.
        if error.name is not None and error.name.split(".")[0] != "ai_edge_litert":
            present = f"{error.name} is not installed"
        else:
            present = _present()
    else:
        if hasattr(compiled_model, "CpuOptions"):
            return compiled_model
        present = _present()
    needed = f"ai-edge-litert {OLDEST_LITERT} or newer, and ml-dtypes"
    raise EdgeclfError(
        f"--runtime compiled needs {needed}, but {present}; "
        f"pip install 'ai-edge-litert>={OLDEST_LITERT}' ml-dtypes"
    )


def _release(native: SimpleNamespace) -> None:
    with quiet_stderr():  # it announces the end of its accelerators
        vars(native).clear()


def _present() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return f"this is {version('ai-edge-litert')}"
    except PackageNotFoundError:
        return "it is not installed"


def _find(details: list[dict[str, Any]], tensor_index: int) -> tuple[int, dict[str, Any]]:
    for place, one in enumerate(details):
        if one["index"] == tensor_index:
            return place, one
    raise ValueError(f"tensor {tensor_index} is none of {[one['index'] for one in details]}")


def _type(dtype: str) -> Any:
    try:
        return np.dtype(dtype).type
    except TypeError:  # one that NumPy lacks, such as int4
        return np.void
