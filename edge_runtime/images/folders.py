"""What lies in a folder, at any depth: each file once, and what is skipped counted by reason."""

import glob
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path

from ..errors import EdgeclfError
from ..text import printable
from ..validation.arguments import as_path
from .names import is_image

_ANY_DEPTH = "**"


@dataclass(frozen=True)
class FolderScan:
    """The files of a folder.

    Attributes:
        files: those that were looked for, sorted.
        skipped: how many others there are, by reason: a suffix, `hidden`, `broken link` and so on.
        unreadable: folders that cannot be listed, each with the system's reason.
        loops: links to folders that are read under another path, so not a second time.
    """

    files: tuple[Path, ...]
    skipped: dict[str, int]
    unreadable: tuple[str, ...] = ()
    loops: tuple[Path, ...] = ()

    def warnings(self, folder: Path) -> list[str]:
        """Return what was skipped, a line each for counts, for links and for each folder."""
        counts = ", ".join(
            f"{count} {reason}" for reason, count in sorted(self.skipped.items(), key=_by_count)
        )
        lines = [f"{folder}: skipped {counts}"] if counts else []
        lines += [f"{link}: leads to a folder that is read already; skipped" for link in self.loops]
        return lines + list(self.unreadable)


def _by_count(item: tuple[str, int]) -> tuple[int, str]:
    return -item[1], item[0]


def find_images(folder: str | PathLike[str]) -> list[Path]:
    """Return the image files at any depth below `folder`, sorted; hidden ones are left out.

    Raises:
        EdgeclfError: `folder` cannot be read, or is no path.
    """
    return list(scan_folder(as_path(folder, name="folder")).files)


def scan_folder(
    folder: str | PathLike[str], *, wanted: Callable[[Path], bool] = is_image
) -> FolderScan:
    """Find the files below `folder` for which `wanted` is true; links to folders count once.

    Hidden files and folders are skipped. Folders come before links to them: what lies in the
    folder itself is found under its own path.

    Raises:
        EdgeclfError: `folder` itself cannot be read.
    """
    root = Path(folder)
    # A link to a folder above leads back here.
    walk = _Walk(
        wanted,
        {
            identity
            for above in root.resolve().parents
            if (identity := _identity(above)) is not None
        },
    )
    walk.enter(root)
    if walk.unreadable:
        raise EdgeclfError(walk.unreadable[0])
    walk.go()
    return FolderScan(
        tuple(sorted(walk.files)), dict(walk.skipped), tuple(walk.unreadable), tuple(walk.loops)
    )


@dataclass
class _Walk:
    wanted: Callable[[Path], bool]
    seen: set[tuple[int, int]]
    files: list[Path] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)
    unreadable: list[str] = field(default_factory=list)
    loops: list[Path] = field(default_factory=list)
    _folders: list[Path] = field(default_factory=list)
    _links: list[Path] = field(default_factory=list)

    def go(self) -> None:
        """Read all folders, and only then links to others: a folder may be deeper than a stack."""
        while self._folders or self._links:
            folder = self._folders.pop() if self._folders else self._links.pop(0)
            if _identity(folder) in self.seen:
                self.loops.append(folder)
            else:
                self.enter(folder)

    def enter(self, folder: Path) -> None:
        """Read one folder."""
        identity = _identity(folder)
        if identity is not None:
            self.seen.add(identity)
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError as error:
            self.unreadable.append(
                f"{folder}: cannot be read ({error.strerror}); change its permissions"
            )
            return
        for entry in entries:
            self._take(entry)

    def _take(self, entry: "os.DirEntry[str]") -> None:
        path = Path(entry.path)
        try:
            is_folder = entry.is_dir()
            is_file = not is_folder and entry.is_file()
        except OSError:  # a link to itself
            is_folder = is_file = False
        if entry.name.startswith("."):
            self.skipped["hidden"] += 1
        elif is_folder:
            (self._links if entry.is_symlink() else self._folders).append(path)
        elif not is_file:
            self.skipped["broken link" if entry.is_symlink() else "no regular file"] += 1
        elif self.wanted(path):
            self.files.append(path)
        else:
            self.skipped[printable(path.suffix.lower()) or "without a suffix"] += 1


def _identity(folder: Path) -> tuple[int, int] | None:
    try:
        status = folder.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def subfolders(folder: Path) -> Iterator[Path]:
    """Yield the folders in `folder` that are not hidden, sorted."""
    for path in sorted(folder.iterdir()):
        if path.is_dir() and not path.name.startswith("."):
            yield path


def find_matches(pattern: str) -> list[Path]:
    """Return the files that match `pattern`, sorted; hidden ones only where it names the dot.

    `**` stands for folders at any depth. Unlike with the standard library, each is read once,
    however many links lead to it.
    """
    parts = Path(pattern).parts
    if _ANY_DEPTH not in parts:
        return sorted(path for name in glob.glob(pattern) if (path := Path(name)).is_file())  # noqa: PTH207, it may be absolute
    first = parts.index(_ANY_DEPTH)
    inner = glob_pattern(parts[first:])
    bases = glob.glob(str(Path(*parts[:first]))) if first else ["."]  # noqa: PTH207
    return sorted(
        path
        for base in map(Path, bases)
        if base.is_dir()
        for path in scan_folder(base, wanted=lambda _path: True).files
        if inner.fullmatch(path.relative_to(base).as_posix())
    )


def glob_pattern(parts: tuple[str, ...]) -> re.Pattern[str]:
    """Return a pattern of relative paths: `**` as the last part stands for files, too."""
    text = "".join(r"(?:[^/]+/)*" if part == _ANY_DEPTH else _segment(part) + "/" for part in parts)
    return re.compile(
        text + "[^/]+" if parts[-1] == _ANY_DEPTH else text.removesuffix("/"), re.DOTALL
    )


def _segment(part: str) -> str:
    """Return the regular expression of one name: of *, ? and [...]."""
    found, at = "", 0
    while at < len(part):
        each = part[at]
        end = part.find("]", at + 2)
        if each == "*":
            found += "[^/]*"
        elif each == "?":
            found += "[^/]"
        elif each == "[" and end > 0:
            inner = part[at + 1 : end].replace("\\", r"\\")
            found += f"[^/{inner[1:]}]" if inner[0] == "!" else f"[{inner}]"
            at = end
        else:
            found += re.escape(each)
        at += 1
    return found
