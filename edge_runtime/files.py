"""Files that are written whole or not at all."""

import hashlib
import json
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .errors import EdgeclfError

_NUMBERS = re.compile(r"\[[-+.\deE,\s]+\]")


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path` that takes its place once the block has succeeded.

    Should the block fail (a full disk, an interrupt), `path` is as it was before.
    """
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
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_bytes(path: Path, data: bytes) -> None:
    """Write `data` to `path`, whole or not at all."""
    with whole_file(path) as temporary:
        temporary.write_bytes(data)


def write_text(path: Path, text: str) -> None:
    """Write `text` to `path` as UTF-8, whole or not at all."""
    write_bytes(path, text.encode())


def write_json(path: Path, value: object) -> None:
    """Write `value` to `path` as indented JSON, each list of numbers on a line of its own."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    text = _NUMBERS.sub(lambda match: " ".join(match[0].split()), text)
    write_text(path, text + "\n")


def sha256_of(path: Path) -> str:
    """Return the SHA-256 digest of the file's bytes, in hexadecimal."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise EdgeclfError(f"{path}: cannot be read ({error.strerror})") from None


def read_json(path: Path) -> Any:
    """Return what the JSON file holds; a file that is missing or damaged is an `EdgeclfError`."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise EdgeclfError(f"{path}: no such file") from None
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise EdgeclfError(f"{path}: not valid JSON ({error}); write it again") from None


def read_labels(path: Path) -> tuple[str, ...]:
    """Return the class names of a labels file: one a line, in the order of the model's output."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise EdgeclfError(
            f"{path}: cannot read the labels ({error}); give a text file with one class a line"
        ) from None
    labels = tuple(line.strip() for line in lines if line.strip())
    if len(set(labels)) < len(labels):
        twice = sorted({label for label in labels if labels.count(label) > 1})
        raise EdgeclfError(f"{path}: label {twice[0]!r} stands there twice; make each line unique")
    return labels
