"""One file is the whole model: labels and spec travel as a zip behind the flatbuffer.

This is how TFLite carries associated files. The metadata in the flatbuffer name them, so phones
know the labels too; the runtime, which reads from the front, never notices.

Every byte of a file counts: the spec holds the flatbuffer's SHA-256, zip's checksums hold the spec,
and what neither describes is an error. Files from before the digest lack the first of these.
"""

import hashlib
import io
import zipfile
import zlib
from dataclasses import dataclass, replace
from pathlib import Path
from struct import Struct
from struct import error as StructError  # noqa: N812
from threading import Thread

from ..errors import EdgeclfError
from ..files import write_bytes
from ..tflite.flatbuffer import FlatbufferError
from ..tflite.structure import check_structure
from ..tflite.tflite_file import IDENTIFIER
from .metadata import embed_metadata
from .spec import LABELS_NAME, SPEC_NAME, ModelSpec

# What zipfile raises on damaged bytes, its own error being one of many.
_DAMAGE = (
    zipfile.BadZipFile, zlib.error, KeyError, EOFError, NotImplementedError, OSError, RuntimeError,
    ValueError,
)  # fmt: skip

# Bytes of a file on disk, and of one behind the model; a spec with the weights for heatmaps of 1000
# classes has 3 MB.
_LARGEST_FILE = 1 << 30
_LARGEST_PART = 1 << 26
_MOST_PARTS = 16

# A zip's entry, its line in the directory and the directory's end, as the zip specification has
# them: https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT
_ENTRY = Struct("<4s5H3L2H")
_LISTED = Struct("<4s6H3L5H2L")
_END = Struct("<4s4H2LH")
_MADE_BY_UNIX, _VERSION, _MODE = 3 << 8 | 20, 20, 0o600 << 16
# The first of January 1980: the same model gives the same bytes.
_TIME, _DATE = 0, 1 << 5 | 1


@dataclass(frozen=True)
class Archive:
    """What lies behind the flatbuffer.

    Attributes:
        start: its first byte in the file; the flatbuffer's length.
        files: the content of each file, by name.
        damage: what is wrong with it, in words; None for a sound one.
    """

    start: int
    files: dict[str, bytes]
    damage: str | None


def write_model(path: Path, flatbuffer: bytes, spec: ModelSpec) -> None:
    """Write `flatbuffer` with metadata, `spec` and labels to `path`, whole or not at all."""
    write_bytes(path, model_bytes(flatbuffer, spec))


def model_bytes(flatbuffer: bytes, spec: ModelSpec) -> bytes:
    """Return what `write_model` writes."""
    return _with_spec(embed_metadata(flatbuffer, spec), spec)


def renewed_bytes(data: bytes, spec: ModelSpec) -> bytes:
    """Return the file `data` with another spec; its flatbuffer stays, byte for byte."""
    return _with_spec(data[: flatbuffer_size(data)], spec)


def _with_spec(model: bytes, spec: ModelSpec) -> bytes:
    spec = replace(spec, flatbuffer_sha256=hashlib.sha256(model).hexdigest())
    files = {LABELS_NAME: spec.labels_text.encode(), SPEC_NAME: spec.to_json().encode()}
    return model + _zip_bytes(files, start=len(model))


def _zip_bytes(files: dict[str, bytes], *, start: int) -> bytes:
    """Return `files` as a zip that begins at byte `start` of a file: one way to write it."""
    entries, directory = b"", b""
    for name, content in files.items():
        shared = (_VERSION, 0, 0, _TIME, _DATE, zlib.crc32(content), len(content), len(content))
        named = (len(name.encode()), 0)
        at = start + len(entries)
        directory += _LISTED.pack(b"PK\1\2", _MADE_BY_UNIX, *shared, *named, 0, 0, 0, _MODE, at)
        directory += name.encode()
        entries += _ENTRY.pack(b"PK\3\4", *shared, *named) + name.encode() + content
    end = (0, 0, len(files), len(files), len(directory), start + len(entries), 0)
    return entries + directory + _END.pack(b"PK\5\6", *end)


def read_model(path: Path) -> tuple[bytes, ModelSpec]:
    """Return the bytes of the file at `path` and the spec in it.

    Raises:
        EdgeclfError: the file is missing, no TFLite model, cut short, damaged, or has no spec.
    """
    data = read_tflite(path)
    archive = read_archive(data)
    spec = read_spec(archive, name=str(path))
    try:
        check_integrity(data, archive, spec)
    except FlatbufferError as error:
        raise EdgeclfError(
            f"{path}: damaged ({error}); copy it again, or convert the model again"
        ) from None
    return data, spec


def check_integrity(data: bytes, archive: Archive, spec: ModelSpec) -> None:
    """Complain of a file whose bytes are not those that were written, or do not fit together.

    A spec without a digest is of an older edgeclf: then the parts of the file must fit together,
    but its weights are not known to be whole.

    Raises:
        FlatbufferError: what is wrong with it.
    """
    flatbuffer = memoryview(data)[: archive.start]
    digest = hashlib.sha256()
    hashing = Thread(target=digest.update, args=(flatbuffer,))
    hashing.start()  # OpenSSL hashes while Python checks
    try:
        if archive.damage is not None:
            raise FlatbufferError(archive.damage)
        check_structure(flatbuffer)
    finally:
        hashing.join()
    if spec.flatbuffer_sha256 is None:
        return
    if digest.hexdigest() != spec.flatbuffer_sha256:
        raise FlatbufferError("the SHA-256 of its model is not the one in its spec")
    if data[archive.start :] != _zip_bytes(archive.files, start=archive.start):
        raise FlatbufferError("the files behind the model are not as they were written")


def read_tflite(path: Path) -> bytes:
    """Return the bytes of the .tflite file at `path`, anyone's; others are an `EdgeclfError`."""
    try:
        with path.open("rb", buffering=0) as file:
            data = file.read(8)
            size = file.seek(0, io.SEEK_END)
            if data[4:] == IDENTIFIER and size <= _LARGEST_FILE:
                file.seek(0)
                data = file.readall()
    except OSError as error:
        raise EdgeclfError(
            f"{path}: cannot be read ({error.strerror}); give a .tflite file of `edgeclf convert`"
        ) from None
    if data[4:8] != IDENTIFIER:
        raise EdgeclfError(f"{path}: not a TFLite model; give a .tflite file of `edgeclf convert`")
    if size > _LARGEST_FILE:
        raise EdgeclfError(f"{path}: larger than {_LARGEST_FILE >> 20} MiB; give a smaller model")
    return data


def read_spec(archive: Archive, *, name: str) -> ModelSpec:
    """Return the spec behind a model; `name` is the model's and stands in the errors."""
    try:
        text = archive.files[SPEC_NAME].decode()
    except (KeyError, UnicodeDecodeError):
        raise EdgeclfError(
            f"{name}: cut short, or not written by edgeclf: it carries no {SPEC_NAME}; "
            "copy it again, or convert the model with `edgeclf convert`"
        ) from None
    return ModelSpec.from_json(text, name=name)


def read_archive(data: bytes) -> Archive:
    """Return the files behind the model `data`; none if there are none or they are damaged."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
            start = min((entry.header_offset for entry in entries), default=len(data))
            largest = max((entry.file_size for entry in entries), default=0)
            if len(entries) > _MOST_PARTS or largest > _LARGEST_PART:
                return Archive(start, {}, "the files behind the model are too many or too large")
            files, damage = {}, _uncovered(data, entries)
            for entry in entries:
                try:
                    files[entry.filename] = archive.read(entry)
                except _DAMAGE:
                    damage = damage or f"{entry.filename!r} behind the model"
            return Archive(start, files, damage)
    except (*_DAMAGE, StructError):
        return Archive(len(data), {}, None)


def flatbuffer_size(data: bytes) -> int:
    """Return how many bytes of the file `data` are the model, the rest being files behind it."""
    return read_archive(data).start


def _uncovered(data: bytes, entries: list[zipfile.ZipInfo]) -> str | None:
    """Return what is not described by the zip, whose parts must follow each other to the end."""
    at = entries[0].header_offset if entries else 0
    for entry in entries:
        sign, *_, name, extra = _ENTRY.unpack_from(data, at)
        if entry.header_offset != at or sign != b"PK\3\4":
            return "the files behind the model do not follow each other"
        at += _ENTRY.size + name + extra + entry.compress_size
    sign, _, _, _, count, size, directory, comment = _END.unpack(data[-_END.size :])
    found = (sign, directory, at + size + _END.size, count, comment)
    if found != (b"PK\5\6", at, len(data), len(entries), 0):
        return "there are bytes behind the model that no file's are"
    if len({entry.filename for entry in entries}) < len(entries):
        return "two files behind the model have the same name"
    return None
