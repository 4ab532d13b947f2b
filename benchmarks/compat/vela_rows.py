"""The rows of Arm's Ethos-U: what its compiler, Vela, leaves to the CPU, and its estimates."""

import csv
import re
import tempfile
from pathlib import Path
from typing import Any

from edgeclf.benchmarks.pi_emulation.processes import FailedError, run_quietly
from edgeclf.edge_runtime.errors import EdgeclfError

from .environments import environment
from .interpreters import in_environment
from .rows import COMPILED, OTHER_RECIPES, Row

ACCELERATORS = ("ethos-u55-256", "ethos-u65-512", "ethos-u85-256")
_ON_CPU = re.compile(r"^CPU operators = (\d+)", re.MULTILINE)


def rows() -> list[Row]:
    """Return a row for each accelerator; they compute integers, so other recipes are not run."""
    return [_row(accelerator) for accelerator in ACCELERATORS]


def _row(accelerator: str) -> Row:
    pinned = environment("vela")
    release = pinned.requirements[0].partition("==")[2]

    def run(case: Path, work: Path) -> dict[str, Any]:
        return in_environment(
            "vela",
            lambda python: compile_case(python, case, accelerator=accelerator, release=release),
            work=work,
            runtime="vela",
        )

    return Row(
        f"Vela {release}, {accelerator}",
        COMPILED,
        run,
        recipes=dict.fromkeys(OTHER_RECIPES),
        note="Vela's estimate, not a measurement",
    )


def compile_case(python: Path, case: Path, *, accelerator: str, release: str) -> dict[str, Any]:
    """Compile the case's model and return the JSON object of its row."""
    seen = {"runtime": "vela", "version": release}
    with tempfile.TemporaryDirectory(prefix="edgeclf-compat-") as folder:
        command = (
            *(python.with_name("vela"), case / "model.tflite"),
            *("--accelerator-config", accelerator, "--output-dir", folder),
        )
        try:
            printed = run_quietly("vela", command)
        except FailedError as error:
            return seen | {"refused": str(error)}
        found = _ON_CPU.search(printed)
        summaries = list(Path(folder).glob("*_summary_*.csv"))
        if found is None or len(summaries) != 1:
            raise EdgeclfError("Vela prints no count of CPU operators or writes no summary")
        with summaries[0].open(newline="") as file:
            [summary] = csv.DictReader(file)
    return seen | {
        "cpu_operators": int(found[1]),
        "ms": 1000 * float(summary["inference_time"]),
    }
