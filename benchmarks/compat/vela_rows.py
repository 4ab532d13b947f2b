"""The rows of Arm's Ethos-U: what its compiler, Vela, leaves to the CPU, and its estimates."""

import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

from edgeclf.convert.export.ethos_u import compile_for
from edgeclf.edge_runtime.errors import EdgeclfError

from .rows import COMPILED, OTHER_RECIPES, Row

ACCELERATORS = ("ethos-u55-256", "ethos-u65-512", "ethos-u85-256")


def rows() -> list[Row]:
    """Return a row for each accelerator; they compute integers, so other recipes are not run."""
    return [_row(accelerator, version("ethos-u-vela")) for accelerator in ACCELERATORS]


def _row(accelerator: str, release: str) -> Row:
    def run(case: Path, work: Path) -> dict[str, Any]:
        seen = {"runtime": "vela", "version": release}
        with tempfile.TemporaryDirectory(dir=work) as folder:
            out = Path(folder) / "compiled.tflite"
            try:
                compiled = compile_for(case / "model.tflite", out=out, target=accelerator)
            except EdgeclfError as error:
                return seen | {"refused": str(error)}
        return seen | {"cpu_operators": compiled.cpu_operators, "ms": compiled.milliseconds}

    return Row(
        f"Vela {release}, {accelerator}",
        COMPILED,
        run,
        recipes=dict.fromkeys(OTHER_RECIPES),
        note="Vela's estimate, not a measurement",
    )
