"""The folder that a bulk run writes, on this machine or behind a URL: each file whole."""

import hashlib
from pathlib import Path
from typing import Any

from pyarrow.fs import FileSelector, FileType

from ..edge_runtime.errors import EdgeclfError
from ..edge_runtime.files import check_folder, remove_leftovers, write_bytes
from .places import Place, open_place

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
        found = self.place.files.get_file_info(selector)
        return {info.base_name for info in found if not info.base_name.startswith(".")}

    def holds(self, name: str) -> bool:
        """Tell whether a file is there."""
        info = self.place.files.get_file_info(self.path(name))
        return bool(info.type == FileType.File)

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

    def remove_leftovers(self) -> None:
        """Remove what killed processes have left, once nobody writes any more."""
        if self.place.is_local:
            for folder in (Path(self.place.path), Path(self.place.path, ROWS)):
                for suffix in (".parquet", ".json", ".html"):
                    remove_leftovers(folder, suffix)
