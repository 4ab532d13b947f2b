"""The photographs that a file is taught with: read, and kept in a folder that `train` can take."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..classifier import Classifier
from ..errors import EdgeclfError
from ..files import write_bytes
from ..images import IMAGE_SUFFIXES, decode_image
from ..prediction import Observed

_SUFFIX = ".jpg"  # of bytes that come without a name


@dataclass(frozen=True, eq=False)
class Photograph:
    """A photograph to teach.

    Attributes:
        data: the file's bytes.
        suffix: of its name, such as `.png`.
        sha256: of the bytes, in hexadecimal.
        features: what the network computes of it, float32 of shape (channels,).
        scores: the network's own, float32 of shape (outputs,).
        appearance: of its pixels, float32 of shape (properties,); None of a file that does not know
            what its training images look like.
    """

    data: bytes
    suffix: str
    sha256: str
    features: NDArray[np.float32]
    scores: NDArray[np.float32]
    appearance: NDArray[np.float32] | None

    @property
    def file_name(self) -> str:
        """What it is called in the folder of its class."""
        return f"{self.sha256[:16]}{self.suffix}"


def read_photograph(classifier: Classifier, data: bytes, *, name: str) -> Photograph:
    """Return the photograph in the bytes of an image file.

    Args:
        classifier: computes its features.
        data: the file's bytes.
        name: of the file; stands in the errors.

    Raises:
        ImageError: it is damaged or no image.
    """
    rgb = decode_image(data, name=name)
    return photograph_of(data, classifier.observe(classifier.preprocess(rgb)), name=name)


def photograph_of(data: bytes, seen: Observed, *, name: str) -> Photograph:
    """Return the photograph in the bytes of an image file, of which features are known.

    Args:
        data: the file's bytes.
        seen: what the network computed of it.
        name: of the file; stands in the errors.
    """
    if seen.features is None or not np.isfinite(seen.features).all():
        raise EdgeclfError(f"{name}: the model computes features of it that are not numbers")
    suffix = Path(name).suffix.lower()
    return Photograph(
        data=data,
        suffix=suffix if suffix in IMAGE_SUFFIXES else _SUFFIX,
        sha256=hashlib.sha256(data).hexdigest(),
        features=seen.features,
        scores=seen.scores,
        appearance=seen.appearance,
    )


def photographs_folder(model: Path) -> Path:
    """Return where the photographs lie that the file `model` was taught with."""
    return model.with_suffix(".photos")


def keep_photograph(folder: Path, label: str, photograph: Photograph) -> None:
    """Write a photograph into the folder of its class, whole, and onto the disk."""
    path = folder / label / photograph.file_name
    if not path.is_file() or path.read_bytes() != photograph.data:
        write_bytes(path, photograph.data)


def copy_photographs(source: Path, target: Path, photographs: Iterable[tuple[str, str]]) -> int:
    """Copy photographs from one folder to another, and return how many `source` lacks.

    Args:
        source: the folder of a model.
        target: of another.
        photographs: class and SHA-256 of each.
    """
    missing = 0
    for label, digest in photographs:
        found = _find(source, label, digest)
        if found is None:
            missing += 1
        else:
            write_bytes(target / label / found.name, found.read_bytes())
    return missing


def undone_folder(model: Path) -> Path:
    """Return where photographs lie that the file `model` was taught with before it was undone."""
    return model.with_suffix(".undone")


def move_photographs(folder: Path, label: str, digests: Iterable[str], *, target: Path) -> None:
    """Move photographs of a class to another folder; its own goes if nothing is left there."""
    (target / label).mkdir(parents=True, exist_ok=True)
    for digest in digests:
        path = _find(folder, label, digest)
        if path is not None:
            path.replace(target / label / path.name)
    for empty in (folder / label, folder):
        if empty.is_dir() and not any(empty.iterdir()):
            empty.rmdir()


def _find(folder: Path, label: str, digest: str) -> Path | None:
    return next(iter(sorted((folder / label).glob(f"{digest[:16]}.*"))), None)
