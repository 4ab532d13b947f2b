"""The rows of the TFLite runtimes in Python: ai-edge-litert, tflite-runtime and TensorFlow's."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from edgeclf.benchmarks.pi_emulation.debian import UnavailableError
from edgeclf.edge_runtime.errors import EdgeclfError

from .environments import environment, environment_python
from .rows import BIT_EQUAL, CLOSE, CLOSE_RECIPES, Row

_PROBE = Path(__file__).parent / "probes" / "interpreter.py"


def rows() -> list[Row]:
    """Return the rows of the Python runtimes."""
    tensorflow = f"TensorFlow {version('tensorflow')}"
    # Plain kernels round int8 otherwise: it is close, with few classes to the last bit.
    return [
        _pinned("litert-oldest", "ai-edge-litert", BIT_EQUAL, recipes=CLOSE_RECIPES),
        _pinned("litert-between", "ai-edge-litert", BIT_EQUAL, recipes=CLOSE_RECIPES),
        reference_row(),
        _pinned("tflite-runtime", "tflite-runtime", CLOSE, recipes=CLOSE_RECIPES),
        _here(f"{tensorflow}, XNNPACK", "tensorflow", "default", BIT_EQUAL, CLOSE_RECIPES),
        _here(f"{tensorflow}, without XNNPACK", "tensorflow", "plain", CLOSE, CLOSE_RECIPES),
        _here(f"{tensorflow}, reference", "tensorflow", "reference", CLOSE, CLOSE_RECIPES),
    ]


def reference_row() -> Row:
    """Return the row that all others are compared with: this environment's ai-edge-litert."""
    title = f"ai-edge-litert {version('ai-edge-litert')}"
    return _here(title, "ai-edge-litert", "default", BIT_EQUAL, {})


def run_probe(command: Sequence[str | Path], out: Path, *, runtime: str) -> dict[str, Any]:
    """Run a probe that writes the JSON file `out`, and return what it wrote.

    A runtime that is ended by a signal has refused the file; other failures are the harness's.
    """
    out.unlink(missing_ok=True)
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    if done.returncode < 0:
        name = signal.Signals(-done.returncode).name
        return {"runtime": runtime, "version": "", "refused": f"its process was ended by {name}"}
    if done.returncode or not out.is_file():
        lines = done.stderr.strip().splitlines() or ["no message"]
        raise EdgeclfError(f"the probe of {runtime} ended with {done.returncode}: {lines[-1]}")
    seen: dict[str, Any] = json.loads(out.read_text())
    return seen


def _here(
    name: str, package: str, kernels: str, expected: str, recipes: dict[str, str | None]
) -> Row:
    def run(case: Path, work: Path) -> dict[str, Any]:
        out = work / f"{package}-{kernels}.json"
        command = (sys.executable, _PROBE, package, kernels, case, out)
        return run_probe(command, out, runtime=package)

    return Row(name, expected, run, recipes=recipes)


def _pinned(name: str, package: str, expected: str, *, recipes: dict[str, str | None]) -> Row:
    pinned = environment(name)

    def run(case: Path, work: Path) -> dict[str, Any]:
        out = work / f"{name}.json"
        return in_environment(
            name,
            lambda python: run_probe(
                (python, _PROBE, package, "default", case, out), out, runtime=package
            ),
            work=work,
            runtime=package,
        )

    title = pinned.requirements[0].replace("==", " ")
    return Row(f"{title} (Python {pinned.python})", expected, run, recipes=recipes)


def in_environment(
    name: str, run: Callable[[Path], dict[str, Any]], *, work: Path, runtime: str
) -> dict[str, Any]:
    """Call `run` with the interpreter of an environment; say why it cannot be had."""
    try:
        python = environment_python(environment(name), work)
    except UnavailableError as error:
        return {"runtime": runtime, "unavailable": str(error)}
    return run(python)
