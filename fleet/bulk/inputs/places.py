"""Where inputs and outputs lie: on this machine, or behind a URL of pyarrow or fsspec."""

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pyarrow
from pyarrow.fs import FileSystem, FSSpecHandler, LocalFileSystem, PyFileSystem

from ....edge_runtime.errors import EdgeclfError

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_QUERY = re.compile(r"[a-z_]+=")
# Where a file appears only once it is written to its end.
_OBJECT_STORES = {"s3", "gcs", "abfs"}


@dataclass(frozen=True)
class Place:
    """A folder, a file or a pattern in a file system.

    Attributes:
        files: the file system, of pyarrow.
        path: what is meant, as `files` has it; absolute on this machine.
        prefix: what stands before paths in public names, such as `s3://`; never holds a secret.
    """

    files: Any
    path: str
    prefix: str = ""

    @property
    def is_local(self) -> bool:
        """Whether it is on this machine."""
        return not self.prefix

    @property
    def is_object_store(self) -> bool:
        """Whether its files appear whole or not at all, and folders are but names."""
        return self.files.type_name in _OBJECT_STORES

    def name(self, path: str) -> str:
        """Return the public name of a path of this file system."""
        return f"{self.prefix}{path}"

    def at(self, path: str) -> "Place":
        """Return another path of this file system."""
        return Place(self.files, path, self.prefix)


def open_place(where: str) -> Place:
    """Return the place that a path or a URL names; nothing need be there.

    Raises:
        EdgeclfError: no file system reads such a URL, or it is malformed.
    """
    if not where:
        raise EdgeclfError("an empty name: give a folder, a file, a glob or a URL")
    if not _URL.match(where):
        return Place(LocalFileSystem(), str(Path(where).absolute()))
    base, path = _split(where)
    try:
        files, root = _open_file_system(base)
    except ImportError as error:
        need = f"pip install {error.name}" if error.name else str(error)
        raise EdgeclfError(f"{public_name(where)}: a package is missing ({need})") from None
    except (ValueError, OSError, pyarrow.ArrowException) as error:
        raise EdgeclfError(
            f"{public_name(where)}: cannot be opened ({_reason(error, where)}); give a URL that "
            "pyarrow or fsspec reads: file://, s3://, gs://, abfs://, sftp://"
        ) from None
    if isinstance(files, LocalFileSystem):
        return Place(files, path or "/")
    host = urlsplit(where).netloc.rpartition("@")[2]
    if root.strip("/") == host:  # the bucket begins the path
        return Place(files, f"{root.strip('/')}{path}".rstrip("/"), f"{_scheme(where)}://")
    return Place(files, f"{root.rstrip('/')}{path}" or "/", f"{_scheme(where)}://{host}")


def public_name(where: str) -> str:
    """Return a path as it is, and a URL without user, password and query, which may be secrets."""
    if not _URL.match(where):
        return where
    parts = urlsplit(where)
    return f"{_scheme(where)}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _reason(error: Exception, where: str) -> str:
    """Return what a library says of a URL, if that repeats no part of it that may be a secret."""
    parts = urlsplit(where)
    secrets = re.split("[:&=]", f"{parts.netloc.rpartition('@')[0]}&{parts.query}")
    text = " ".join(str(error).split())
    repeats = any(each in text or unquote(each) in text for each in secrets if each)
    return type(error).__name__ if repeats else f"{text:.160}"


def _scheme(where: str) -> str:
    return where.partition("://")[0].lower()


def _split(where: str) -> tuple[str, str]:
    """Return the URL of the file system with all that opens it, and the path in it."""
    parts = urlsplit(where)
    query = f"?{parts.query}" if parts.query and _QUERY.match(parts.query) else ""
    # A `?` and a `#` of a glob or of a name are no query.
    rest = where[len(f"{parts.scheme}://{parts.netloc}") :].removesuffix(query)
    return f"{parts.scheme}://{parts.netloc}/{query}", rest


@lru_cache(maxsize=64)
def _open_file_system(base: str) -> tuple[Any, str]:
    try:
        files, root = FileSystem.from_uri(base)
    except (pyarrow.ArrowInvalid, pyarrow.ArrowNotImplementedError):
        from fsspec.core import url_to_fs

        remote, root = url_to_fs(base)
        files = PyFileSystem(FSSpecHandler(remote))
    return files, str(root)
