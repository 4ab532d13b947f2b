"""The file that is compiled for another processor."""

from pathlib import Path

from ...edge_runtime.errors import EdgeclfError
from ...edge_runtime.model_file.container import read_model
from ...edge_runtime.model_file.spec import ModelSpec


def read_source(model: Path) -> tuple[bytes, ModelSpec]:
    """Return the bytes and the spec of a file that a compiler can take as it was converted.

    Raises:
        EdgeclfError: it cannot be read, was compiled already, or was taught classes.
    """
    data, spec = read_model(model)
    compiled = (spec.provenance or {}).get("compiled")
    if isinstance(compiled, dict):
        raise EdgeclfError(
            f"{model}: compiled already, for {compiled.get('target')}; give the file from before"
        )
    if spec.taught is not None:
        raise EdgeclfError(
            f"{model}: was taught classes, which an NPU does not know; give the file from before"
        )
    return data, spec
