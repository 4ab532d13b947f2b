"""LiteRT.js and MediaPipe tasks-vision in a headless Chromium, as rows of the table."""

import base64
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeclf.convert.export.web.server import serve
from edgeclf.edge_runtime.errors import EdgeclfError

from ..cases import OutputTensor, read_case
from ..rows import BIT_EQUAL, CLOSE, Row
from .chromium import find_browser, open_browser
from .packages import installed_packages, versions

_PAGE = Path(__file__).parent
_PATIENCE_S = 600.0

_LITERT, _VISION = "@litertjs/core", "@mediapipe/tasks-vision"

# The builds of LiteRT.js: it takes the first where the browser has relaxed SIMD, the second
# elsewhere, and the third when it is asked for threads.
RELAXED, WITHOUT_RELAXED = "litert_wasm_internal.js", "litert_wasm_compat_internal.js"
THREADED = "litert_wasm_threaded_internal.js"

# In float only LiteRT.js with relaxed SIMD gave the bits of x86-64, and not of `dynamic`.
_FLOAT = {"float32": CLOSE, "float16": CLOSE, "dynamic": CLOSE}


def rows() -> list[Row]:
    """Return the rows of both libraries."""
    pins = versions()
    litert, vision = f"LiteRT.js {pins[_LITERT]}", f"tasks-vision {pins[_VISION]}"
    return [
        Row(litert, BIT_EQUAL, litert_run(RELAXED), _FLOAT),
        Row(f"{litert} without relaxed SIMD", BIT_EQUAL, litert_run(WITHOUT_RELAXED), _FLOAT),
        Row(vision, BIT_EQUAL, run_tasks_vision, _FLOAT),
    ]


def litert_run(build: str, *, threads: int = 1) -> Callable[[Path, Path], dict[str, Any]]:
    """Return what runs a case with that build of LiteRT.js."""

    def run(case: Path, work: Path) -> dict[str, Any]:
        options = {"build": build, "threads": threads}
        return _identified(_LITERT, lambda: _in_browser("litert", case, work, options))

    return run


def run_tasks_vision(case: Path, work: Path) -> dict[str, Any]:
    """Run a case with the ImageClassifier of MediaPipe tasks-vision.

    It gives every output as scores in float: of a quantized one, the steps are computed back.
    """
    answer = _identified(_VISION, lambda: _in_browser("tasksVision", case, work, {}))
    if "outputs" in answer:
        tensors = read_case(case).tensors
        answer["outputs"] = [
            _as_stored(output, tensor)
            for output, tensor in zip(answer["outputs"], tensors, strict=True)
        ]
    return answer


def _as_stored(output: str, tensor: OutputTensor) -> str:
    scores = np.frombuffer(base64.b64decode(output), "<f4")
    return base64.b64encode(quantized(scores, tensor).tobytes()).decode()


def quantized(scores: NDArray[np.float32], tensor: OutputTensor) -> NDArray[Any]:
    """Return the values of the output `tensor` that stand for `scores`.

    Raises:
        EdgeclfError: a score lies between two steps.
    """
    if not tensor.scale:
        return scores.astype(tensor.dtype)
    exact = scores.astype(np.float64) / tensor.scale + tensor.zero_point
    steps = np.rint(exact)
    if np.abs(exact - steps).max() > 1e-3:
        raise EdgeclfError(f"scores lie between the steps of {tensor.scale}: {exact}")
    return steps.astype(tensor.dtype)


def _identified(package: str, run: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    try:
        return {"runtime": package, "version": versions()[package], **run()}
    except _UnavailableError as error:
        return {"runtime": package, "unavailable": str(error)}


class _UnavailableError(EdgeclfError):
    """This machine has no browser, or not the packages."""


def _in_browser(library: str, case: Path, work: Path, options: Mapping[str, Any]) -> dict[str, Any]:
    executable = find_browser()
    if executable is None:
        raise _UnavailableError("needs a Chromium on the PATH: apt-get install chromium")
    try:
        packages = installed_packages(work)
    except EdgeclfError as error:
        raise _UnavailableError(str(error)) from error
    folders = {"": _PAGE, "packages": packages, "case": case}
    with serve(folders) as address, open_browser(executable) as page:
        page.open(f"{address}/page.html")
        page.until("globalThis.runCase !== undefined")
        page.run(f"runCase({json.dumps(library)}, {json.dumps(options)})")
        answer: dict[str, Any] = page.until("globalThis.answer", patience_s=_PATIENCE_S)
        return answer if "refused" in answer else {**answer, "delegated": None}
