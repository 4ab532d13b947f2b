"""The folder that a bulk run writes, on this machine or behind a URL: each file whole."""

import hashlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from pyarrow.fs import FileSelector, FileType

from ...edge_runtime.errors import EdgeclfError
from ...edge_runtime.files import check_folder, locked_folder, remove_leftovers, write_bytes
from .inputs.places import Place, open_place

PLAN, MANIFEST, ROWS = "plan.parquet", "manifest.json", "rows"


def part_name(chunk: int) -> str:
    """Return the name of a chunk's part in the output folder."""
    return f"{ROWS}/part-{chunk:06}.parquet"


class OutputFolder:
    """The output of a bulk run."""

    def __init__(self, where: str) -> None:
        """`where` is a folder or its URL; nothing is made yet.

        Raises:
            EdgeclfError: no files can be made there.
        """
        self.place: Place = open_place(where.rstrip("/") or where)
        if self.place.is_local:
            check_folder(Path(self.place.path))

    @property
    def name(self) -> str:
        """Its public name."""
        return self.place.name(self.place.path)

    def path(self, name: str) -> str:
        """Return the path of one of its files in its file system."""
        return f"{self.place.path}/{name}"

    def names(self, folder: str = "") -> set[str]:
        """Return the names of the files in it, or in a folder of it; hidden ones are left out."""
        selector = FileSelector(self.path(folder).rstrip("/"), allow_not_found=True)
        found = self._reached(selector)
        return {info.base_name for info in found if not info.base_name.startswith(".")}

    def holds(self, name: str) -> bool:
        """Tell whether a file is there."""
        return bool(self._reached(self.path(name)).type == FileType.File)

    def _reached(self, what: "str | FileSelector") -> Any:
        """Return what the file system says is there."""
        try:
            return self.place.files.get_file_info(what)
        except OSError as error:
            reason = error.strerror or f"{' '.join(str(error).split()):.160}"
            raise EdgeclfError(
                f"{self.name}: cannot be reached ({reason}); mend that, or choose another place"
            ) from None

    def open(self, name: str) -> Any:
        """Open one of its files as pyarrow does."""
        return self.place.files.open_input_file(self.path(name))

    def read(self, name: str) -> bytes:
        """Return the bytes of one of its files.

        Raises:
            EdgeclfError: it cannot be read.
        """
        try:
            with self.open(name) as opened:
                return bytes(opened.read())
        except OSError as error:
            reason = error.strerror or f"{error!s:.160}"
            raise EdgeclfError(
                f"{self.place.name(self.path(name))}: cannot be read ({reason})"
            ) from None

    def write(self, name: str, data: bytes) -> None:
        """Write a file whole or not at all.

        Raises:
            EdgeclfError: the system refuses to write there.
        """
        path, files = self.path(name), self.place.files
        if self.place.is_local:
            write_bytes(Path(path), data)
            return
        try:
            if self.place.is_object_store:
                with files.open_output_stream(path) as opened:
                    opened.write(data)
                return
            files.create_dir(path.rpartition("/")[0], recursive=True)
            # Two processes may write the same part, with the same content.
            temporary = f"{path.rpartition('/')[0]}/.{hashlib.sha256(data).hexdigest()[:16]}"
            with files.open_output_stream(temporary) as opened:
                opened.write(data)
            files.move(temporary, path)
        except OSError as error:
            reason = error.strerror or f"{error!s:.160}"
            raise EdgeclfError(
                f"{self.place.name(path)}: cannot be written ({reason}); choose another place"
            ) from None

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep other processes from writing a run here meanwhile; a URL cannot keep them out.

        Raises:
            EdgeclfError: another process writes one.
        """
        if not self.place.is_local:
            yield
            return
        folder = Path(self.place.path)
        was_there = folder.exists()
        with ExitStack() as stack:
            try:
                stack.enter_context(locked_folder(folder, wait=False))
            except BlockingIOError:
                raise EdgeclfError(
                    f"{self.name}: another `edgeclf bulk` writes there; wait for its end, or "
                    "choose another folder"
                ) from None
            try:
                yield
            finally:
                if not was_there:
                    with suppress(OSError):  # not empty
                        folder.rmdir()

    def remove_leftovers(self) -> None:
        """Remove what killed processes have left, once nobody writes any more."""
        if self.place.is_local:
            for folder in (Path(self.place.path), Path(self.place.path, ROWS)):
                for suffix in (".parquet", ".json", ".html"):
                    remove_leftovers(folder, suffix)
