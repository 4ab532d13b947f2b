"""Folders that are made once and kept, whole or not at all."""

import fcntl
import hashlib
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from edgeclf.edge_runtime.errors import EdgeclfError

_MADE_FROM = "made-from.txt"


def keep_folder(
    path: Path, what: str, *, pins: Iterable[str | Path], make: Callable[[Path], None]
) -> None:
    """See to it that `path` holds what `make` writes into an empty folder.

    `make` is called, `what` it does is printed, unless it has ended before with the same
    pins: texts, or files of the same content. What was begun and never finished lies beside `path`
    until the next call, and is never taken for the whole.
    """
    made_from = _digest(pins)
    note = path / _MADE_FROM
    if note.is_file() and note.read_text() == made_from:
        return
    click.echo(f"{what} in {path}", err=True)
    part = path.with_name(f"{path.name}.part")
    try:
        _remove(part)
        part.mkdir(parents=True)
        make(part)
        (part / _MADE_FROM).write_text(made_from)
        _remove(path)
        part.rename(path)
    except OSError as error:
        reason = error.strerror or " ".join(str(error).split())
        raise EdgeclfError(
            f"{path}: cannot be made ({reason}); mend that, or give another folder with --work"
        ) from None


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Let the block have `folder` to itself: wait for whoever else is at it.

    The system lets go of the lock of a process that is killed.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / "lock").open("w")
    except OSError as error:
        raise EdgeclfError(
            f"{folder}: cannot be written ({error.strerror}); give another with --work"
        ) from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            click.echo(f"Waiting for the other run in {folder}", err=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _remove(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)


def _digest(pins: Iterable[str | Path]) -> str:
    hashed = hashlib.sha256()
    for pin in pins:
        data = pin.read_bytes() if isinstance(pin, Path) else pin.encode()
        hashed.update(hashlib.sha256(data).digest())
    return hashed.hexdigest()
