"""Narrower numbers for the steps of a training, on processors that compute them faster."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import tensorflow as tf

from ...edge_runtime.errors import EdgeclfError
from ..config import Precision

_CPU_INFO = Path("/proc/cpuinfo")
_INSTRUCTIONS = ("avx512_bf16", "amx_bf16")
_OPTION = "auto_mixed_precision_onednn_bfloat16"


def check_precision(precision: Precision) -> None:
    """Raise EdgeclfError if this processor does not compute in `precision`.

    TensorFlow would go on in float32, or emulate it for longer than float32 takes.
    """
    if precision == "float32":
        return
    try:
        known = set(_CPU_INFO.read_text().split())
    except OSError:
        known = set()
    if not known & set(_INSTRUCTIONS):
        raise EdgeclfError(
            f"--precision bfloat16: this processor has neither of {', '.join(_INSTRUCTIONS)} "
            "(the flags in /proc/cpuinfo); leave it at float32"
        )


@contextmanager
def computing_in(precision: Precision) -> Iterator[None]:
    """Have TensorFlow compute what is traced meanwhile in `precision`.

    With bfloat16, TensorFlow's optimizer of graphs (Grappler) narrows the operations that bear it,
    convolutions above all; variables, sums of gradients and the loss stay float32.
    """
    if precision == "float32":
        yield
        return
    tf.config.optimizer.set_experimental_options({_OPTION: True})
    try:
        yield
    finally:
        tf.config.optimizer.set_experimental_options({_OPTION: False})
