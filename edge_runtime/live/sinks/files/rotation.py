"""Files that are appended to without end: whole lines, and a new file when one is large."""

import os
import stat
from pathlib import Path

from ....errors import EdgeclfError


def rotate(path: Path, keep: int) -> None:
    """Move `x.log` to `x.1.log`, that to `x.2.log`, and so on; of the older ones `keep` stay."""

    def older(number: int) -> Path:
        return path.with_name(f"{path.stem}.{number}{path.suffix}")

    for number in range(keep - 1, 0, -1):
        if older(number).exists():
            older(number).replace(older(number + 1))
    if path.exists():
        path.replace(older(1))


class LineFile:
    """Lines appended to a file, each whole or not at all, regardless of the disk.

    A pipe or a terminal, as /dev/stdout may be, gets the lines as they come: it has no older files
    and nothing to bring to a disk.
    """

    def __init__(self, path: Path, *, max_bytes: int, keep: int, header: bytes = b"") -> None:
        """Open `path` to append.

        Args:
            path: the file; its folder is made.
            max_bytes: a line that would make it larger goes to a new one.
            keep: how many older files stay.
            header: the first line of each file.

        Raises:
            EdgeclfError: it cannot be opened, or starts with another header.
        """
        # What a link leads to is written and rotated, and the link stays.
        is_stream = path.exists() and not path.is_file()
        self._path = path if is_stream else Path(os.path.realpath(path))
        self._max_bytes, self._keep, self._header = max_bytes, keep, header
        self._handle = -1
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if header and path.is_file():
                with path.open("rb") as file:
                    first = file.readline()
                if first not in {b"", header}:
                    raise EdgeclfError(f"{path}: has other columns; choose another file")
            self._open()
        except OSError as error:
            raise EdgeclfError(
                f"{path}: cannot be written ({error.strerror}); choose another place"
            ) from None

    def append(self, line: bytes) -> None:
        """Write a line that ends with a line feed.

        Raises:
            OSError: it was not written, and nothing of it is left.
        """
        if not self._is_ours():  # deleted or moved away, perhaps to make room
            self._open()
        is_full = self._size > len(self._header) and self._size + len(line) > self._max_bytes
        if is_full and self._is_regular:
            self.close()
            rotate(self._path, self._keep)
            self._open()
        if self._size == 0:
            line = self._header + line
        self._write(b"\n" + line if self._torn else line)

    def close(self) -> None:
        """Let go of the file."""
        if self._handle >= 0:
            handle, self._handle = self._handle, -1
            try:
                if self._is_regular:
                    os.fsync(handle)
            finally:
                os.close(handle)

    def _open(self) -> None:
        self.close()
        self._handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
        status = os.fstat(self._handle)
        self._size, self._is_regular = status.st_size, stat.S_ISREG(status.st_mode)
        # What a power cut has left of a line is not to spoil the next.
        self._torn = self._size > 0 and os.pread(self._handle, 1, self._size - 1) != b"\n"

    def _is_ours(self) -> bool:
        try:
            return self._handle >= 0 and os.path.samestat(self._path.stat(), os.fstat(self._handle))
        except FileNotFoundError:
            return False

    def _write(self, data: bytes) -> None:
        left = memoryview(data)
        try:
            while left:
                left = left[os.write(self._handle, left) :]
        except OSError:
            self._cut_back()
            raise
        self._size += len(data)
        self._torn = False

    def _cut_back(self) -> None:
        try:
            os.ftruncate(self._handle, self._size)
        except OSError:
            self._size = os.fstat(self._handle).st_size
            self._torn = True
