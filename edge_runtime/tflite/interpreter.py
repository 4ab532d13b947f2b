"""The TFLite runtime of this machine: ai-edge-litert, or tflite-runtime where that has no wheel.

All of edgeclf computes through the `Interpreter` protocol, which LiteRT's own interpreter and its
`CompiledModel` fulfil.
"""

import os
from collections.abc import Sequence
from typing import Any, Literal, Protocol, cast, get_args

import numpy as np
from numpy.typing import NDArray

from ..errors import EdgeclfError
from ..quiet import quiet_stderr
from .compiled_model import CompiledModelInterpreter, compiled_model_classes
from .runtime_versions import explain_refusal

Runtime = Literal["interpreter", "compiled"]
RUNTIMES: tuple[Runtime, ...] = get_args(Runtime)


class Interpreter(Protocol):
    """What edgeclf uses of a TFLite interpreter."""

    def invoke(self) -> None: ...
    def get_input_details(self) -> list[dict[str, Any]]: ...
    def get_output_details(self) -> list[dict[str, Any]]: ...
    def get_tensor_details(self) -> list[dict[str, Any]]: ...
    def set_tensor(self, tensor_index: int, value: NDArray[Any]) -> None: ...
    def get_tensor(self, tensor_index: int) -> NDArray[Any]: ...
    def _get_ops_details(self) -> list[dict[str, Any]]: ...


def open_interpreter(
    model: bytes,
    *,
    name: str,
    threads: int,
    notices: list[str] | None = None,
    runtime: Runtime = "interpreter",
) -> Interpreter:
    """Return an interpreter for `model` with its tensors allocated, on XNNPACK where it can.

    Args:
        model: the bytes of the file.
        name: stands in the errors.
        threads: of an inference.
        notices: takes the lines that the runtime writes meanwhile; it announces its delegate.
        runtime: LiteRT's interpreter, or its `CompiledModel`.

    Raises:
        EdgeclfError: no runtime is installed, it is too old, or it refuses the model.
    """
    import_runtime(runtime)
    try:
        with quiet_stderr() as lines:
            interpreter = _open(model, threads=threads, runtime=runtime)
    except (ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[0] if str(error) else "no reason given"
        refusal = explain_refusal(model, reason=reason, runtime=runtime_name())
        raise EdgeclfError(f"{name}: {refusal}") from None
    if notices is not None:
        notices += lines
    return interpreter


def _open(model: bytes, *, threads: int, runtime: Runtime) -> Interpreter:
    if runtime == "compiled":
        return CompiledModelInterpreter(model, threads=threads)
    interpreter = interpreter_class()(model_content=model, num_threads=threads)
    interpreter.allocate_tensors()
    return cast(Interpreter, interpreter)


def import_runtime(runtime: Runtime) -> None:
    """Import what `runtime` needs.

    Raises:
        EdgeclfError: it is not installed, or too old.
    """
    if runtime == "compiled":
        compiled_model_classes()
    else:
        interpreter_class()


def runtime_name() -> str:
    """Return the distribution that runs the models, with its version."""
    from importlib.metadata import PackageNotFoundError, version

    for distribution in ("ai-edge-litert", "tflite-runtime"):
        try:
            return f"{distribution} {version(distribution)}"
        except PackageNotFoundError:
            continue
    return "none"


def default_threads() -> int:
    """Return how many threads an inference uses by default: the cores we may use, 4 at most."""
    return min(4, usable_cores())


def usable_cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def delegated_parts(interpreter: Interpreter) -> int | None:
    """Return how many parts of the graph a delegate (XNNPACK) runs; 0 means plain kernels.

    None for a `CompiledModel`, which always has the delegate and does not tell its parts.
    """
    if isinstance(interpreter, CompiledModelInterpreter):
        return None
    return [op["op_name"] for op in interpreter._get_ops_details()].count("DELEGATE")


def names_xnnpack(notices: Sequence[str]) -> bool:
    """Tell from the `notices` of `open_interpreter` whether XNNPACK was made for the model."""
    return any("XNNPACK delegate" in line for line in notices)


def float_operators(interpreter: Interpreter) -> dict[str, int]:
    """Count the operators that compute on floating-point tensors, by name; empty is full integer.

    The delegate's own nodes are left out: they stand for operators that are listed too.
    """
    is_float = {
        tensor["index"]: np.issubdtype(tensor["dtype"], np.floating)
        for tensor in interpreter.get_tensor_details()
    }
    counts: dict[str, int] = {}
    for op in interpreter._get_ops_details():
        tensors = [*op["inputs"], *op["outputs"]]
        if op["op_name"] != "DELEGATE" and any(
            is_float.get(int(index), False) for index in tensors
        ):
            counts[op["op_name"]] = counts.get(op["op_name"], 0) + 1
    return counts


def interpreter_class() -> Any:
    """Import the runtime and return its class of interpreters."""
    try:
        from ai_edge_litert.interpreter import Interpreter as LiteRT
    except ImportError:
        pass
    else:
        return LiteRT
    try:
        from tflite_runtime.interpreter import Interpreter as TFLite
    except ImportError:
        raise EdgeclfError(
            "no TFLite runtime is installed: pip install ai-edge-litert "
            "(or tflite-runtime on a 32-bit system)"
        ) from None
    return TFLite
