"""The images of a chunk, in batches that threads read and decode side by side."""

import hashlib
import os
import stat
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import IO, Any

import pyarrow

from ....edge_runtime.classifier import Classifier
from ....edge_runtime.errors import EdgeclfError
from ....edge_runtime.images import ImageError, RGBImage, decode_image
from .items import Item, is_bytes, leaf_type, open_file, open_parquet
from .places import Place, open_place, public_name

BATCH = 16
_CHANGED = "changed since it was listed"

# The bytes of an image, and when it was changed last, in nanoseconds since the epoch.
Content = tuple[bytes, int | None]


class ReadError(Exception):
    """Why an image has no bytes, in one line."""


@dataclass(frozen=True)
class Encoded:
    """An image that is not read yet.

    Attributes:
        path: its public name.
        read: returns its content, or raises `ReadError`.
    """

    path: str
    read: Callable[[], Content]


@dataclass(frozen=True)
class Decoded:
    """An image that is ready for the model, or why it is not.

    Attributes:
        path: its public name.
        sha256: of its bytes; None if there are none.
        modified: when it was changed last, nanoseconds since the epoch, if that is known.
        model_input: as `Classifier.preprocess` returns it; None with an error.
        preprocess_ms: how long that took.
        error: what is wrong with it, in one line; None with an input.
    """

    path: str
    sha256: str | None
    modified: int | None
    model_input: RGBImage | None
    preprocess_ms: float = 0.0
    error: str | None = None


def decode_batch(batch: Sequence[Encoded], classifier: Classifier) -> list[Decoded]:
    """Read, decode and preprocess images; what is wrong with one is its error."""
    return [_decode(image, classifier) for image in batch]


def _decode(image: Encoded, classifier: Classifier) -> Decoded:
    try:
        data, modified = image.read()
    except ReadError as error:
        return Decoded(image.path, None, None, None, error=str(error))
    sha256 = hashlib.sha256(data).hexdigest()
    try:
        rgb = decode_image(data)
    except ImageError as error:
        return Decoded(image.path, sha256, modified, None, error=error.reason)
    start = time.perf_counter()
    model_input = classifier.preprocess(rgb)
    ms = (time.perf_counter() - start) * 1000
    return Decoded(image.path, sha256, modified, model_input, ms)


def batches(items: Sequence[Item], places: Sequence[Place]) -> Iterator[list[Encoded]]:
    """Yield the images of a chunk in order; of Parquet files, their bytes are read here."""
    images = _images(items, places)
    while batch := list(islice(images, BATCH)):
        yield batch


def _images(items: Sequence[Item], places: Sequence[Place]) -> Iterator[Encoded]:
    shards = _Shards(places)
    for item in items:
        place = places[item.file.source]
        name = place.name(item.file.path)
        if item.kind == "image":
            yield Encoded(name, partial(_read_file, place, item))
        elif item.kind == "member":
            yield Encoded(f"{name}#{item.name}", partial(shards.read, item))
        elif item.kind == "damage":
            yield Encoded(name, partial(_fail, item.error))
        else:
            yield from _parquet_images(item, place)


def _fail(error: str) -> Content:
    raise ReadError(error)


def _read_file(place: Place, item: Item) -> Content:
    try:
        if place.is_local:
            with Path(item.file.path).open("rb") as opened:
                data = opened.read()
                modified: int | None = os.fstat(opened.fileno()).st_mtime_ns
        else:
            with place.files.open_input_file(item.file.path) as opened:
                data, modified = bytes(opened.read()), item.file.modified
    except OSError as error:
        raise ReadError(_reason(error)) from None
    if len(data) != item.file.size or modified != item.file.modified:
        raise ReadError(_CHANGED)
    return data, modified


class _Shards(threading.local):
    """The tar shard that a thread reads: members that follow each other are one read."""

    def __init__(self, places: Sequence[Place]) -> None:
        self._places = places
        self._file: object = None
        self._opened: IO[bytes] | Any = None

    def read(self, item: Item) -> Content:
        try:
            if self._file != item.file:
                if self._opened is not None:
                    self._opened.close()
                self._file, self._opened = None, None
                self._opened = self._open(item)
                self._file = item.file
            self._opened.seek(item.first)
            data = self._opened.read(item.count)
        except OSError as error:
            raise ReadError(_reason(error)) from None
        if len(data) < item.count:
            raise ReadError("the tar shard is cut short")
        return data, item.modified

    def _open(self, item: Item) -> Any:
        place = self._places[item.file.source]
        _check_unchanged(place, item)
        return open_file(place, item.file.path)


def _check_unchanged(place: Place, item: Item) -> None:
    size, modified = _size_and_time(place, item.file.path)
    if (size, modified) != (item.file.size, item.file.modified):
        raise ReadError(_CHANGED)


def _size_and_time(place: Place, path: str) -> tuple[int | None, int | None]:
    if place.is_local:
        status = Path(path).stat()
        if not stat.S_ISREG(status.st_mode):  # a pipe may never end
            raise ReadError("no regular file")
        return status.st_size, status.st_mtime_ns
    info = place.files.get_file_info(path)
    return info.size, info.mtime_ns


def _parquet_images(item: Item, place: Place) -> Iterator[Encoded]:
    """Yield as many images as the plan says, even if the file holds others now."""
    name = place.name(item.file.path)
    number, error = item.first, "the Parquet file ends before this row"
    try:
        for value, is_path in _values(item, place):
            yield _parquet_image(value, is_path, place, item, f"{name}#{number}")
            number += 1
    except (OSError, pyarrow.ArrowException) as failure:
        error = _reason(failure)
    except ReadError as failure:
        error = str(failure)
    for rest in range(number, item.first + item.count):
        yield Encoded(f"{name}#{rest}", partial(_fail, error))


def _values(item: Item, place: Place) -> Iterator[tuple[Any, bool]]:
    """Yield the cells of a span of rows, each with whether it is a path."""
    _check_unchanged(place, item)
    with open_parquet(place, item.file.path) as parquet:
        is_path = not is_bytes(leaf_type(parquet.schema_arrow, item.name))
        groups, skip, start = [], item.first, 0
        for group in range(parquet.metadata.num_row_groups):
            rows = parquet.metadata.row_group(group).num_rows
            if start + rows <= item.first:
                skip -= rows
            elif start < item.first + item.count:
                groups.append(group)
            start += rows
        left = item.count
        for batch in parquet.iter_batches(BATCH, row_groups=groups, columns=[item.name]):
            array = batch.column(0)
            for field in item.name.split(".")[1:]:
                array = array.field(field)
            values = array[skip : skip + left]
            skip = max(0, skip - len(array))
            left -= len(values)
            yield from ((value.as_py(), is_path) for value in values)
            if not left:
                return


def _parquet_image(value: Any, is_path: bool, place: Place, item: Item, name: str) -> Encoded:
    if value is None:
        return Encoded(name, partial(_fail, "no image: the cell is empty"))
    if not is_path:
        return Encoded(name, partial(_content, value))
    if "://" in value:
        return Encoded(public_name(value), partial(_read_url, value))
    path = PurePosixPath(item.file.path).parent / value
    return Encoded(place.name(str(path)), partial(_read_path, place, str(path)))


def _content(data: bytes) -> Content:
    return data, None


def _read_url(url: str) -> Content:
    try:
        place = open_place(url)
    except EdgeclfError as error:
        raise ReadError(str(error)) from None
    return _read_path(place, place.path)


def _read_path(place: Place, path: str) -> Content:
    try:
        _, modified = _size_and_time(place, path)
        with open_file(place, path) as opened:
            return opened.read(), modified
    except OSError as error:
        raise ReadError(_reason(error)) from None


def _reason(error: Exception) -> str:
    reason = getattr(error, "strerror", None) or f"{error!s:.160}"
    return f"cannot be read ({' '.join(reason.split())})"
