"""One file is the whole model: labels and spec travel as a zip behind the flatbuffer.

This is how TFLite carries associated files, so other TFLite readers see `labels.txt` too, and the
runtime, which reads the flatbuffer from the front, never notices.
"""

import io
import zipfile
import zlib
from pathlib import Path

from .errors import EdgeclfError
from .files import write_bytes
from .spec import ModelSpec

SPEC_NAME = "edgeclf.json"
LABELS_NAME = "labels.txt"

# What zipfile raises on damaged bytes, its own error being one of many.
_DAMAGE = (
    zipfile.BadZipFile, zlib.error, KeyError, EOFError, NotImplementedError, OSError, RuntimeError,
    ValueError,
)  # fmt: skip

# A fixed date: the same model gives the same bytes.
_DATE = (1980, 1, 1, 0, 0, 0)


def write_model(path: Path, flatbuffer: bytes, spec: ModelSpec) -> None:
    """Write `flatbuffer` with its `spec` and labels to `path`, whole or not at all."""
    whole = io.BytesIO()
    whole.write(flatbuffer)
    with zipfile.ZipFile(whole, mode="a") as archive:
        for name, text in (
            (LABELS_NAME, "\n".join(spec.labels) + "\n"),
            (SPEC_NAME, spec.to_json()),
        ):
            archive.writestr(zipfile.ZipInfo(name, _DATE), text)
    write_bytes(path, whole.getvalue())


def read_model(path: Path) -> tuple[bytes, ModelSpec]:
    """Return the bytes of the file at `path` and the spec in it.

    Raises:
        EdgeclfError: the file is missing, no TFLite model, cut short, or has no spec.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise EdgeclfError(
            f"{path}: cannot be read ({error.strerror}); give a .tflite file of `edgeclf convert`"
        ) from None
    if data[4:8] != b"TFL3":
        raise EdgeclfError(f"{path}: not a TFLite model; give a .tflite file of `edgeclf convert`")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            text = archive.read(SPEC_NAME).decode()
    except _DAMAGE:
        raise EdgeclfError(
            f"{path}: cut short, or not written by edgeclf: it carries no {SPEC_NAME}; "
            "copy it again, or convert the model with `edgeclf convert`"
        ) from None
    return data, ModelSpec.from_json(text, name=str(path))
