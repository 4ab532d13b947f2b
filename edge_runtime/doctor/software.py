"""Python, the runtime and the libraries."""

import platform
from collections.abc import Iterator

import cv2
import numpy as np

from ... import __version__
from ..errors import EdgeclfError
from ..tflite.interpreter import interpreter_class, runtime_name
from ..tflite.runtime_versions import on_32_bits
from .check import Check, ok


def software_checks() -> Iterator[Check]:
    """Yield what runs here, and whether it is what should."""
    yield ok("edgeclf", f"{__version__}, Python {platform.python_version()}")
    yield _runtime()
    yield ok("libraries", f"numpy {np.__version__}, OpenCV {cv2.__version__}")


def _runtime() -> Check:
    name = runtime_name()
    try:
        interpreter_class()
    except EdgeclfError as error:
        if name == "none":
            reason, _, mend = str(error).partition(": ")
            return Check("runtime", "failed", reason, mend)
        mend = f"pip install --force-reinstall {name.split()[0]}"
        return Check("runtime", "failed", f"{name} is installed, but cannot be imported", mend)
    if name.startswith("tflite-runtime") and not on_32_bits():
        detail = f"{name}, whose int8 is many times slower than ai-edge-litert's"
        return Check("runtime", "warning", detail, "pip install ai-edge-litert")
    return ok("runtime", f"{name}, {platform.machine()}")
