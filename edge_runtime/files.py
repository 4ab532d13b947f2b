"""Files that are written whole or not at all, and folders that one process at a time writes to."""

import errno
import hashlib
import json
import math
import os
import re
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .errors import EdgeclfError

# What `np.load` and reading what it found raise on damaged bytes.
DAMAGED_ARRAYS = (
    *(zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError),
    *(KeyError, TypeError, ValueError),
)

_NUMBERS = re.compile(r"\[[-+.\deE,\s]+\]")


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path` that takes its place once the block has succeeded.

    Should the block fail (a full disk, an interrupt), `path` is as it was before.

    Raises:
        EdgeclfError: the system refuses to write there.
    """
    try:
        with replacing(path, durable=True) as temporary:
            yield temporary
    except OSError as error:
        raise write_error(path, error) from None


def write_error(path: Path, error: OSError) -> EdgeclfError:
    """Return the error that says why the system refuses to write `path`."""
    full = error.errno in {errno.ENOSPC, errno.EDQUOT}
    mend = "free some and run again" if full else "choose another place"
    reason = error.strerror or " ".join(str(error).split())
    return EdgeclfError(f"{path}: cannot be written ({reason}); {mend}")


@contextmanager
def replacing(path: Path, *, durable: bool = False) -> Iterator[Path]:
    """Do what `whole_file` does, and raise the OSError as it comes.

    Args:
        path: the file; of a link, what it leads to is replaced.
        durable: whether it is on the disk once the block is over, even if the power fails then.

    Raises:
        EdgeclfError: there is something else than a file, such as a device or a pipe.
    """
    path = _written_path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=".", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        # mkstemp makes the file private; a finished file gets the user's usual permissions.
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        if durable:
            _sync(temporary)
        temporary.replace(path)
        if durable:
            _sync(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    """Have the system write a file, or the names in a folder, to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in {errno.EINVAL, errno.ENOTSUP}:  # a file system that cannot
            raise
    finally:
        os.close(handle)


def remove_leftovers(folder: Path, suffix: str) -> None:
    """Remove the temporary files of `whole_file` that a killed process has left."""
    for path in folder.glob(f".????????{suffix}"):
        path.unlink(missing_ok=True)


@contextmanager
def locked_folder(folder: Path, *, wait: bool) -> Iterator[None]:
    """Hold the lock of `folder`, which is made if it is not there.

    The lock ends with the process, by kill -9 too.

    Args:
        folder: the folder.
        wait: whether to wait for another process that holds it.

    Raises:
        BlockingIOError: another process holds it, and `wait` is false.
    """
    import fcntl  # Windows has none, and trains without a lock.

    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield
    finally:
        os.close(descriptor)


def check_folder(path: Path) -> None:
    """Complain now of a folder in which files could not be made later."""
    nearest = next(folder for folder in (path, *path.absolute().parents) if folder.exists())
    if not nearest.is_dir() or not os.access(nearest, os.W_OK | os.X_OK):
        reason = "no right to write there" if nearest.is_dir() else f"{nearest} is a file"
        raise EdgeclfError(f"{path}: cannot be a folder for files ({reason}); choose another")


def check_file(path: Path) -> None:
    """Complain now of a file that could not be written later."""
    try:
        check_folder(_written_path(path).parent)
    except IsADirectoryError:
        raise EdgeclfError(f"{path}: is a folder; give the name of a file") from None


def _written_path(path: Path) -> Path:
    """Return what is replaced: of a link, what it leads to; it is a file or nothing yet."""
    found = Path(os.path.realpath(path))
    if found.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if found.exists() and not found.is_file():
        raise EdgeclfError(f"{path}: not a file that can be written anew; give another name")
    return found


def write_bytes(path: Path, data: bytes) -> None:
    """Write `data` to `path`, whole or not at all."""
    with whole_file(path) as temporary:
        temporary.write_bytes(data)


def write_text(path: Path, text: str) -> None:
    """Write `text` to `path` as UTF-8, whole or not at all.

    Bytes of a file's name that are no UTF-8 are escaped, as JSON does it.
    """
    write_bytes(path, text.encode(errors="backslashreplace"))


def write_json(path: Path, value: object) -> None:
    """Write `value` to `path` as indented JSON, whole or not at all."""
    write_text(path, json_text(value))


def json_text(value: object) -> str:
    """Return `value` as indented JSON, each list of numbers on a line of its own."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    return _NUMBERS.sub(lambda match: " ".join(match[0].split()), text) + "\n"


def sha256_of(path: Path) -> str:
    """Return the SHA-256 digest of the file's bytes, in hexadecimal."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise EdgeclfError(f"{path}: cannot be read ({error.strerror})") from None


def read_json(path: Path) -> Any:
    """Return what the JSON file holds; a file that is missing or damaged is an `EdgeclfError`."""
    try:
        return _parse_json(path.read_text(encoding="utf-8"))
    except OSError as error:
        is_missing = isinstance(error, FileNotFoundError)
        reason = "no such file" if is_missing else f"cannot be read ({error.strerror})"
        raise EdgeclfError(f"{path}: {reason}; give a JSON file") from None
    except ValueError as error:
        raise EdgeclfError(f"{path}: not valid JSON ({error}); write it again") from None


def _parse_json(text: str) -> Any:
    """Return what the JSON text holds; a ValueError also for NaN, for Infinity, for a number that
    is too large and for what is too deep for the stack."""
    try:
        return json.loads(text, parse_constant=_finite, parse_float=_finite)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    except json.JSONDecodeError:
        raise
    except ValueError as error:
        if "digits" in str(error):  # the interpreter's limit, with advice on how to lift it
            raise ValueError("a whole number with thousands of digits") from None
        raise


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text:.40} is no number of JSON, or too large")
    return number


def read_labels(path: Path) -> tuple[str, ...]:
    """Return the class names of a labels file: one a line, in the order of the model's output."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise EdgeclfError(
            f"{path}: cannot read the labels ({reason}); give a text file with one class a line"
        ) from None
    labels = tuple(line.strip() for line in lines if line.strip())
    if not labels:
        raise EdgeclfError(f"{path}: holds no label; write one class a line")
    if len(set(labels)) < len(labels):
        twice = sorted({label for label in labels if labels.count(label) > 1})
        raise EdgeclfError(f"{path}: label {twice[0]!r} stands there twice; make each line unique")
    return labels
