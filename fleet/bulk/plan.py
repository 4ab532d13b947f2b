"""The plan of a bulk run: which images each chunk holds. It is written before anything else."""

import hashlib
import io
import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet

from ...edge_runtime.errors import EdgeclfError
from .inputs.items import Item, items_of, split_rows
from .inputs.listing import PARQUET, InputFile, Listing, list_files
from .inputs.places import Place
from .output import PLAN, OutputFolder

SCHEMA = 1
_HEAD = b"edgeclf.plan"
_COLUMNS = pyarrow.schema(
    [
        ("kind", pyarrow.string()),
        ("source", pyarrow.int32()),
        ("file", pyarrow.binary()),
        ("size", pyarrow.int64()),
        ("file_modified", pyarrow.int64()),
        ("name", pyarrow.binary()),
        ("first", pyarrow.int64()),
        ("count", pyarrow.int64()),
        ("modified", pyarrow.int64()),
        ("error", pyarrow.string()),
    ]
)


@dataclass(frozen=True)
class Settings:
    """What decides the rows of a run; a run that is resumed has the same.

    Attributes:
        inputs: public names of the inputs.
        model: SHA-256 of the model's file.
        top: number of best classes in a row.
        threshold: the least score of a label, 0 to 1.
        novelty_threshold: the novelty above which an image is unknown; None for the model's.
        rows_per_part: rows of a part, but for the last.
        column: of Parquet files, if one was chosen.
    """

    inputs: tuple[str, ...]
    model: str
    top: int
    threshold: float
    novelty_threshold: float | None
    rows_per_part: int
    column: str | None


@dataclass(frozen=True)
class Listed:
    """What the inputs held when they were listed.

    Attributes:
        files: number of files.
        sha256: of their names, sizes and times.
    """

    files: int
    sha256: str


@dataclass(frozen=True)
class Plan:
    """The chunks of a run.

    Attributes:
        settings: what it was made for.
        listed: what the inputs held.
        skipped: what was found and is no image, counted by reason.
        images: rows of each chunk.
        sha256: of the plan's file.
    """

    settings: Settings
    listed: Listed
    skipped: dict[str, int]
    images: tuple[int, ...]
    sha256: str = field(compare=False, default="")


def make_plan(
    settings: Settings,
    places: Sequence[Place],
    out: OutputFolder,
    *,
    warn: Callable[[str], object],
) -> Plan:
    """List the inputs, write the plan into the output folder, and return it.

    Raises:
        EdgeclfError: an input names nothing that can be classified.
    """
    listing, digest = Listing(), _Digest()
    buffer, images = io.BytesIO(), []
    with pyarrow.parquet.ParquetWriter(buffer, _COLUMNS, compression="zstd") as writer:
        for chunk in _chunks(settings, places, listing, digest):
            images.append(sum(item.images for item in chunk))
            writer.write_table(_table(chunk))
        head = {
            "schema": SCHEMA,
            "settings": asdict(settings),
            "listed": asdict(digest.listed()),
            "skipped": dict(sorted(listing.skipped.items())),
            "images": images,
        }
        writer.add_key_value_metadata({_HEAD: json.dumps(head).encode()})
    for line in listing.warnings:
        warn(line)
    out.write(PLAN, buffer.getvalue())
    return read_plan(out)


def read_plan(out: OutputFolder) -> Plan:
    """Return the plan in an output folder.

    Raises:
        EdgeclfError: it is damaged, or of another version.
    """
    data = out.read(PLAN)
    head: dict[str, Any] = {}
    with suppress(pyarrow.ArrowException, KeyError, TypeError, ValueError):
        metadata = pyarrow.parquet.read_metadata(io.BytesIO(data)).metadata
        head = json.loads(metadata[_HEAD])
    if head.get("schema") != SCHEMA:
        raise EdgeclfError(
            f"{out.place.name(out.path(PLAN))}: no plan of this version of edgeclf; choose another "
            "folder, or resume with the version that made it"
        )
    settings = head["settings"] | {"inputs": tuple(head["settings"]["inputs"])}
    return Plan(
        Settings(**settings),
        Listed(**head["listed"]),
        head["skipped"],
        tuple(head["images"]),
        hashlib.sha256(data).hexdigest(),
    )


def read_chunk(out: OutputFolder, chunk: int) -> list[Item]:
    """Return the items of a chunk of the plan in an output folder."""
    with out.open(PLAN) as opened:
        rows = pyarrow.parquet.ParquetFile(opened).read_row_group(chunk).to_pylist()
    return [_item(row) for row in rows]


def list_again(places: Sequence[Place]) -> Listed:
    """Return what the inputs hold now; nothing of an input that is gone."""
    digest = _Digest()
    try:
        for file in list_files(places, Listing()):
            digest.add(file)
    except EdgeclfError:
        return Listed(0, "")
    return digest.listed()


class _Digest:
    """Of the files that are listed."""

    def __init__(self) -> None:
        self._files, self._sha256 = 0, hashlib.sha256()

    def add(self, file: InputFile) -> None:
        self._files += 1
        self._sha256.update(repr(file).encode(errors="surrogateescape"))

    def listed(self) -> Listed:
        return Listed(self._files, self._sha256.hexdigest())


def _chunks(
    settings: Settings, places: Sequence[Place], listing: Listing, digest: _Digest
) -> Iterator[list[Item]]:
    waiting: list[Item] = []
    images = 0
    has_column = settings.column is None
    for file in list_files(places, listing):
        digest.add(file)
        has_column |= Path(file.path).suffix.lower() == PARQUET
        place = places[file.source]
        for item in items_of(file, place, column=settings.column, skipped=listing.skipped):
            waiting.append(item)
            images += item.images
            while images >= settings.rows_per_part:
                chunk, waiting = split_rows(waiting, settings.rows_per_part)
                images -= settings.rows_per_part
                yield chunk
    if not has_column:
        raise EdgeclfError(
            f"--column {settings.column}: the inputs hold no Parquet file; leave it out"
        )
    if waiting:
        yield waiting


def _table(items: Sequence[Item]) -> Any:
    files = [item.file for item in items]
    columns = [
        [item.kind for item in items],
        [file.source for file in files],
        [os.fsencode(file.path) for file in files],
        [file.size for file in files],
        [file.modified for file in files],
        [os.fsencode(item.name) for item in items],
        [item.first for item in items],
        [item.count for item in items],
        [item.modified for item in items],
        [item.error.encode(errors="backslashreplace").decode() for item in items],
    ]
    return pyarrow.table(columns, schema=_COLUMNS)


def _item(row: dict[str, Any]) -> Item:
    file = InputFile(row["source"], os.fsdecode(row["file"]), row["size"], row["file_modified"])
    name = os.fsdecode(row["name"])
    return Item(row["kind"], file, name, row["first"], row["count"], row["modified"], row["error"])
