"""Which files the inputs name: images, tar shards and Parquet files, and what is skipped."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from pyarrow.fs import FileSelector, FileType

from ....edge_runtime.errors import EdgeclfError
from ....edge_runtime.images import IMAGE_SUFFIXES, is_image
from ....edge_runtime.images.folders import find_matches, glob_pattern, scan_folder
from ....edge_runtime.text import printable
from .places import Place

TAR, PARQUET = ".tar", ".parquet"

# Path, bytes, and when it was changed last, in nanoseconds since the epoch.
_Found = tuple[str, int, int | None]


@dataclass(frozen=True)
class InputFile:
    """A file of an input, as it was when it was listed.

    Attributes:
        source: the number of the input.
        path: in the input's file system.
        size: in bytes.
        modified: when it was changed last, nanoseconds since the epoch; None if nobody says.
    """

    source: int
    path: str
    size: int
    modified: int | None


@dataclass
class Listing:
    """What is said of the inputs beside their files.

    Attributes:
        skipped: how many files are no input, by reason.
        warnings: lines on folders and links that are not read.
    """

    skipped: Counter[str] = field(default_factory=Counter)
    warnings: list[str] = field(default_factory=list)


def is_input(path: Path) -> bool:
    """Tell by its name whether a file is an image, a tar shard or a Parquet file."""
    is_shard = path.suffix.lower() in {TAR, PARQUET} and not path.name.startswith(".")
    return is_shard or is_image(path)


def list_files(places: Sequence[Place], listing: Listing) -> Iterator[InputFile]:
    """Yield the files of the inputs, in the same order each time; each file once.

    Args:
        places: of the inputs.
        listing: gets what is skipped and what is to be said of it.

    Raises:
        EdgeclfError: an input names nothing that can be classified.
    """
    seen: set[str] = set()
    for source, place in enumerate(places):
        find = _find_local if place.is_local else _find_remote
        for path, size, modified in find(place, listing):
            if len(places) > 1:
                if place.name(path) in seen:
                    listing.skipped["given twice"] += 1
                    continue
                seen.add(place.name(path))
            yield InputFile(source, path, size, modified)


def _find_local(place: Place, listing: Listing) -> Iterator[_Found]:
    path = Path(place.path)
    if path.is_dir():
        scan = scan_folder(path, wanted=is_input)
        listing.skipped.update(scan.skipped)
        listing.warnings += scan.unreadable
        if scan.loops:
            listing.skipped["link to a folder that is read already"] += len(scan.loops)
        paths = list(scan.files)
    elif path.exists():
        paths = _only_inputs([path], listing)
    else:
        paths = _only_inputs(find_matches(place.path), listing)
    if not paths:
        raise _nothing(place)
    for each in paths:
        try:
            status = each.stat()
        except OSError:
            listing.skipped["gone while it was listed"] += 1
            continue
        yield str(each), status.st_size, status.st_mtime_ns


def _find_remote(place: Place, listing: Listing) -> Iterator[_Found]:
    try:
        found = _remote_files(place)
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise EdgeclfError(f"{place.name(place.path)}: cannot be listed ({reason:.160})") from None
    wanted = [info for info in found if is_input(Path(info.path))]
    _count_others([Path(info.path) for info in found], listing)
    if not wanted:
        raise _nothing(place)
    for info in sorted(wanted, key=lambda info: info.path):
        yield info.path, info.size or 0, info.mtime_ns


def _remote_files(place: Place) -> list[Any]:
    info = place.files.get_file_info(place.path)
    if info.type == FileType.File:
        return [info]
    matches: Callable[[str], object] = lambda _path: True  # noqa: E731
    folder = place.path
    if info.type == FileType.NotFound:
        parts = PurePosixPath(place.path).parts
        first = next((i for i, part in enumerate(parts) if set(part) & set("*?[")), None)
        if first is None:
            return []
        folder = str(PurePosixPath(*parts[:first])) if first else ""
        inner = glob_pattern(parts[first:])
        matches = lambda path: inner.fullmatch(path[len(folder) :].lstrip("/"))  # noqa: E731
    found = place.files.get_file_info(FileSelector(folder, recursive=True, allow_not_found=True))
    return [each for each in found if each.type == FileType.File and matches(each.path)]


def _only_inputs(paths: Sequence[Path], listing: Listing) -> list[Path]:
    _count_others(paths, listing)
    return [path for path in paths if is_input(path)]


def _count_others(paths: Sequence[Path], listing: Listing) -> None:
    others = [path for path in paths if not is_input(path)]
    listing.skipped.update(map(skip_reason, others))


def skip_reason(path: Path) -> str:
    """Return why a file is skipped: its suffix, or that it is hidden or has none."""
    if path.name.startswith("."):
        return "hidden"
    return printable(path.suffix.lower()) or "without a suffix"


def _nothing(place: Place) -> EdgeclfError:
    known = " ".join([*sorted(IMAGE_SUFFIXES), TAR, PARQUET])
    return EdgeclfError(
        f"{place.name(place.path)}: no such file, or nothing in it to classify; give a folder, a "
        f"glob, a file or a URL of {known}"
    )
