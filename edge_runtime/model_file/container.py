"""One file is the whole model: labels and spec travel as a zip behind the flatbuffer.

This is how TFLite carries associated files. The metadata in the flatbuffer name them, so phones
know the labels too; the runtime, which reads from the front, never notices.
"""

import io
import zipfile
import zlib
from pathlib import Path

from ..errors import EdgeclfError
from ..files import write_bytes
from ..tflite.tflite_file import IDENTIFIER
from .metadata import embed_metadata
from .spec import LABELS_NAME, SPEC_NAME, ModelSpec

# What zipfile raises on damaged bytes, its own error being one of many.
_DAMAGE = (
    zipfile.BadZipFile, zlib.error, KeyError, EOFError, NotImplementedError, OSError, RuntimeError,
    ValueError,
)  # fmt: skip

# A fixed date: the same model gives the same bytes.
_DATE = (1980, 1, 1, 0, 0, 0)


def write_model(path: Path, flatbuffer: bytes, spec: ModelSpec) -> None:
    """Write `flatbuffer` with metadata, `spec` and labels to `path`, whole or not at all."""
    write_bytes(path, model_bytes(flatbuffer, spec))


def model_bytes(flatbuffer: bytes, spec: ModelSpec) -> bytes:
    """Return what `write_model` writes."""
    whole = io.BytesIO()
    whole.write(embed_metadata(flatbuffer, spec))
    with zipfile.ZipFile(whole, mode="a") as archive:
        for name, text in (
            (LABELS_NAME, spec.labels_text),
            (SPEC_NAME, spec.to_json()),
        ):
            archive.writestr(zipfile.ZipInfo(name, _DATE), text)
    return whole.getvalue()


def read_model(path: Path) -> tuple[bytes, ModelSpec]:
    """Return the bytes of the file at `path` and the spec in it.

    Raises:
        EdgeclfError: the file is missing, no TFLite model, cut short, or has no spec.
    """
    data = read_tflite(path)
    return data, read_spec(data, name=str(path))


def read_tflite(path: Path) -> bytes:
    """Return the bytes of the .tflite file at `path`, anyone's; others are an `EdgeclfError`."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise EdgeclfError(
            f"{path}: cannot be read ({error.strerror}); give a .tflite file of `edgeclf convert`"
        ) from None
    if data[4:8] != IDENTIFIER:
        raise EdgeclfError(f"{path}: not a TFLite model; give a .tflite file of `edgeclf convert`")
    return data


def read_spec(data: bytes, *, name: str) -> ModelSpec:
    """Return the spec in the bytes of a model; `name` is the model's and stands in the errors."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            text = archive.read(SPEC_NAME).decode()
    except _DAMAGE:
        raise EdgeclfError(
            f"{name}: cut short, or not written by edgeclf: it carries no {SPEC_NAME}; "
            "copy it again, or convert the model with `edgeclf convert`"
        ) from None
    return ModelSpec.from_json(text, name=name)


def read_files(data: bytes) -> dict[str, bytes]:
    """Return the files behind a model; none if there are none or they are damaged."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return {name: archive.read(name) for name in archive.namelist()}
    except _DAMAGE:
        return {}


def flatbuffer_size(data: bytes) -> int:
    """Return how many bytes of the file `data` are the model, the rest being files behind it."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return min((entry.header_offset for entry in archive.infolist()), default=len(data))
    except _DAMAGE:
        return len(data)
