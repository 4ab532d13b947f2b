"""The images of rows as thumbnails, where they can still be read."""

import hashlib
import tarfile
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet

from ....edge_runtime.errors import EdgeclfError
from ....edge_runtime.images import ImageError, decode_image
from ....models.report.thumbnails import picture_of
from ..inputs.items import find_column, open_file, open_parquet
from ..inputs.listing import PARQUET, TAR
from ..inputs.places import open_place


def thumbnail(row: dict[str, Any], *, column: str | None) -> str | None:
    """Return the image of a row as a data URI; None if it is not there or another one by now.

    Args:
        row: with `path` and `sha256`.
        column: of Parquet files, if one was chosen.
    """
    try:
        data = _bytes_of(row["path"], column)
        if hashlib.sha256(data).hexdigest() != row["sha256"]:
            return None
        return picture_of(decode_image(data))
    except (
        *(EdgeclfError, ImageError, OSError, LookupError, ValueError),
        *(tarfile.TarError, pyarrow.ArrowException),
    ):
        return None


def _bytes_of(path: str, column: str | None) -> bytes:
    file, _, rest = path.partition("#")
    suffix = Path(file).suffix.lower()
    place = open_place(file)
    if rest and suffix == TAR:
        with open_file(place, place.path) as opened, tarfile.open(fileobj=opened) as archive:
            member = archive.extractfile(rest)
            return member.read() if member is not None else b""
    if rest and suffix == PARQUET:
        with open_parquet(place, place.path) as parquet:
            name = find_column(parquet.schema_arrow, column, name=file)
            return _cell(parquet, name, int(rest))
    place = open_place(path)
    with open_file(place, place.path) as opened:
        return opened.read()


def _cell(parquet: Any, name: str, row: int) -> bytes:
    group = 0
    while row >= (rows := parquet.metadata.row_group(group).num_rows):
        group, row = group + 1, row - rows
    for batch in parquet.iter_batches(16, row_groups=[group], columns=[name]):
        if row < len(batch):
            value = batch.column(0)[row].as_py()
            for key in name.split(".")[1:]:
                value = value[key]
            return bytes(value)
        row -= len(batch)
    raise LookupError(row)
