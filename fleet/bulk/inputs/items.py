"""What is classified: an image file, a member of a tar shard, or rows of a Parquet file."""

import io
import tarfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pyarrow
import pyarrow.parquet
from pyarrow import types

from ....edge_runtime.errors import EdgeclfError
from ....edge_runtime.images import is_image
from .listing import PARQUET, TAR, InputFile, skip_reason
from .places import Place

Kind = Literal["image", "member", "rows", "damage"]

_BUFFER = 1 << 20
_OF_BULK = {"path", "sha256", "model", "label", "novelty_reason", "error"}  # columns of its rows
_NAMES_OF_PATHS = ("path", "file", "file_name", "filename", "image_path", "url")


@dataclass(frozen=True)
class Item:
    """One image, or consecutive rows of a Parquet file; rows of the result come in their order.

    Attributes:
        kind: `image` (a file), `member` (of a tar shard), `rows` (of a Parquet file) or `damage`
            (what is wrong with an archive, which becomes one row with that error).
        file: in which it lies.
        name: of the member, or the column of the Parquet file; else empty.
        first: the first byte of a member, or the first row.
        count: bytes of a member, or number of rows; else 0.
        modified: of a member, as the tar shard says it: nanoseconds since the epoch.
        error: what is wrong, for `damage`.
    """

    kind: Kind
    file: InputFile
    name: str = ""
    first: int = 0
    count: int = 0
    modified: int | None = None
    error: str = ""

    @property
    def images(self) -> int:
        """How many rows of the result it gives."""
        return self.count if self.kind == "rows" else 1


def items_of(
    file: InputFile, place: Place, *, column: str | None, skipped: Counter[str]
) -> Iterator[Item]:
    """Yield what is to be classified of a file; an archive that cannot be read is one `damage`.

    Args:
        file: the file.
        place: of its input.
        column: of a Parquet file, with the images' bytes or paths; None to find it.
        skipped: gets how many members of a tar shard are no image, and how many Parquet files of
            a folder hold none, by reason.

    Raises:
        EdgeclfError: a Parquet file that was named has no such column, or several that may be
            meant.
    """
    suffix = Path(file.path).suffix.lower()
    if suffix == TAR:
        yield from _members(file, place, skipped)
    elif suffix == PARQUET:
        yield from _rows(file, place, column, skipped)
    else:
        yield Item("image", file)


def open_file(place: Place, path: str) -> io.BufferedIOBase:
    """Open a file of a file system for reading at any place.

    Raises:
        OSError: it cannot be opened.
    """
    if place.is_local:
        return Path(path).open("rb")
    return io.BufferedReader(place.files.open_input_file(path), _BUFFER)


def _members(file: InputFile, place: Place, skipped: Counter[str]) -> Iterator[Item]:
    try:
        with (
            open_file(place, file.path) as opened,
            tarfile.open(fileobj=opened, mode="r:", errors="surrogateescape") as archive,
        ):
            while (member := archive.next()) is not None:
                # The archive remembers each, which may be millions.
                archive.members.clear()  # type: ignore[attr-defined]
                path = Path(member.name)
                if not member.isfile():
                    if not member.isdir():
                        skipped["link or device in a tar shard"] += 1
                elif not is_image(path):
                    skipped[skip_reason(path)] += 1
                else:
                    modified = int(member.mtime * 1e9) if member.mtime else None
                    yield Item(
                        "member", file, member.name, member.offset_data, member.size, modified
                    )
            # Python takes a damaged header for the end.
            opened.seek(archive.offset)
            end = opened.read(tarfile.BLOCKSIZE)
            if end != bytes(tarfile.BLOCKSIZE):
                yield _damage(file, "damaged or cut short: what follows its last member is no end")
    except (OSError, tarfile.TarError) as error:
        yield _damage(file, f"cannot be read to its end ({_line(error)})")


def _rows(
    file: InputFile, place: Place, column: str | None, skipped: Counter[str]
) -> Iterator[Item]:
    try:
        with open_parquet(place, file.path) as parquet:
            schema, rows = parquet.schema_arrow, parquet.metadata.num_rows
    except (OSError, pyarrow.ArrowException) as error:
        yield _damage(file, f"no Parquet file that can be read ({_line(error)})")
        return
    if not rows:
        return
    is_named = file.path == place.path
    if not is_named and set(schema.names) >= _OF_BULK:
        skipped["rows of a bulk run"] += 1
        return
    try:
        name = find_column(schema, column, name=place.name(file.path))
    except EdgeclfError:
        if is_named:
            raise
        skipped["Parquet file without one column of images"] += 1
        return
    yield Item("rows", file, name, 0, rows)


@contextmanager
def open_parquet(place: Place, path: str) -> Iterator[Any]:
    """Open a Parquet file so that only a little of it is in memory at a time."""
    # pyarrow itself takes no name that is not UTF-8.
    with Path(path).open("rb") if place.is_local else place.files.open_input_file(path) as source:
        yield pyarrow.parquet.ParquetFile(source, buffer_size=_BUFFER, pre_buffer=False)


def is_bytes(kind: Any) -> bool:
    """Tell whether an Arrow type holds the bytes of images, and not their paths."""
    return any(
        test(kind) for test in (types.is_binary, types.is_large_binary, types.is_fixed_size_binary)
    )


def leaf_type(schema: Any, name: str) -> Any:
    """Return the type of a column such as `image` or `image.bytes`; None if it is not there."""
    first, *rest = name.split(".")
    kind: Any = schema.field(first).type if first in schema.names else None
    for each in rest:
        is_there = types.is_struct(kind) and kind.get_field_index(each) >= 0
        kind = kind.field(each).type if is_there else None
    return kind


def find_column(schema: Any, column: str | None, *, name: str) -> str:
    leaves = list(_leaves(schema))
    binary = [leaf for leaf in leaves if is_bytes(leaf_type(schema, leaf))]
    texts = [leaf for leaf in leaves if _is_text(leaf_type(schema, leaf))]
    if column is not None:
        if column in (*binary, *texts):
            return column
        known = ", ".join([*binary, *texts]) or "none"
        raise EdgeclfError(f"{name}: no column {column!r} of bytes or texts; it has: {known}")
    named = [leaf for leaf in texts if leaf in _NAMES_OF_PATHS]
    for candidates in (binary, named, texts):
        if len(candidates) == 1:
            return candidates[0]
        if candidates:
            break
    else:
        raise EdgeclfError(f"{name}: no column of images' bytes or paths; choose another file")
    raise EdgeclfError(
        f"{name}: {len(candidates)} columns may hold the images: {', '.join(candidates)}; choose "
        "one with --column"
    )


def _leaves(schema: Any) -> Iterator[str]:
    for field in schema:
        if types.is_struct(field.type):
            yield from (f"{field.name}.{field.type.field(i).name}"
                        for i in range(field.type.num_fields))  # fmt: skip
        else:
            yield field.name


def _is_text(kind: Any) -> bool:
    return bool(types.is_string(kind) or types.is_large_string(kind))


def _damage(file: InputFile, error: str) -> Item:
    return Item("damage", file, error=error)


def _line(error: Exception) -> str:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else error
    return f"{' '.join(str(reason).split()):.160}"


def split_rows(items: Sequence[Item], room: int) -> tuple[list[Item], list[Item]]:
    """Return the items that give `room` rows at most, and the rest; rows are parted between."""
    taken: list[Item] = []
    for place, item in enumerate(items):
        if item.images > room:
            if room:
                taken.append(_part(item, 0, room))
            return taken, [_part(item, room, item.count - room), *items[place + 1 :]]
        taken.append(item)
        room -= item.images
    return taken, []


def _part(item: Item, skip: int, count: int) -> Item:
    return Item(item.kind, item.file, item.name, item.first + skip, count)
