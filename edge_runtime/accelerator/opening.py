"""A model opened on an accelerator; what that does not take is left to the CPU."""

import ctypes
import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast

from ..errors import EdgeclfError
from ..quiet import quiet_stderr
from ..tflite.compiled_model import CompiledModelInterpreter, compiled_model_classes
from ..tflite.interpreter import Interpreter, delegated_parts, interpreter_class
from .accelerator import MEND, Accelerator

_ERROR = re.compile(r"^ERROR: \[[^\]]+\] (.+)")


class NoDelegateError(EdgeclfError):
    """A file that is no TFLite delegate."""


def open_on(
    accelerator: Accelerator,
    model: bytes,
    *,
    threads: int,
    notices: list[str] | None = None,
) -> Interpreter:
    """Return an interpreter for `model` with its tensors allocated, on `accelerator`.

    It may crash or hang: that is up to the accelerator's maker. `trial.py` tries it.

    Args:
        accelerator: takes the operators that it can compute.
        model: the bytes of the file.
        threads: of the operators that are left to the CPU.
        notices: takes the lines that the runtime writes meanwhile.

    Raises:
        NoDelegateError: its library cannot be loaded, or is no delegate.
        EdgeclfError: why it does not open the model.
    """
    if accelerator.kind == "delegate":
        interpreter_class()
    else:
        compiled_model_classes()
    lines: list[str] = []
    try:
        with quiet_stderr() as lines, _stdout_to_stderr():
            interpreter = _open(accelerator, model, threads=threads)
    except (OSError, AttributeError) as error:
        if accelerator.kind != "delegate":
            raise
        raise NoDelegateError(
            f"accelerator {accelerator.library}: no TFLite delegate ({error}); {MEND}"
        ) from None
    except (ValueError, RuntimeError) as error:
        raise EdgeclfError(f"it does not open the model: {_reason(error, lines)}") from None
    if notices is not None:
        notices += lines
    return interpreter


def _open(accelerator: Accelerator, model: bytes, *, threads: int) -> Interpreter:
    if accelerator.kind != "delegate":
        compiled = CompiledModelInterpreter(model, threads=threads, hardware=accelerator.kind)
        compiled.invoke()
        compiled.get_tensor(compiled.get_output_details()[0]["index"])  # both are aloud once
        return compiled
    kind = interpreter_class()
    runtime: Any = sys.modules[kind.__module__]
    delegate = runtime.load_delegate(accelerator.library, dict(accelerator.options))
    interpreter = kind(model_content=model, num_threads=threads, experimental_delegates=[delegate])
    if not delegated_parts(interpreter):  # XNNPACK comes with the memory
        raise ValueError("it takes no operator of it")
    interpreter.allocate_tensors()
    return cast(Interpreter, interpreter)


@contextmanager
def _stdout_to_stderr() -> Iterator[None]:
    """Lead to descriptor 2 what drivers write to descriptor 1, which is for results."""
    if sys.stdout is not None:
        sys.stdout.flush()
    before = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        ctypes.CDLL(None).fflush(None)
        os.dup2(before, 1)
        os.close(before)


def _reason(error: Exception, lines: Sequence[str]) -> str:
    """Return what says most: LiteRT writes its reason, and raises an error with places alone."""
    said = [found[1] for line in lines if (found := _ERROR.match(line))]
    raised = [line.strip(" └") for line in str(error).splitlines() if line.strip(" └")]
    plain = [line for line in raised if not line.startswith("ERROR: [")]
    return " ".join((plain or said or raised or ["no reason given"])[-1].split())[:200]
