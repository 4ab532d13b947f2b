"""What decides a training, by name: none goes on from where another has come to."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from ...edge_runtime.errors import EdgeclfError
from ..data.dataset import Dataset

# Paths may change with the place; what lies there is in the digests.
_PLACES = ("data", "groups", "weights")
_PLACES_OF_DISTILL = ("teacher", "unlabelled")

START_WEIGHTS = "start weights"

Key = dict[str, Any]


def training_key(settings: dict[str, Any], dataset: Dataset, *, start_weights: str) -> Key:
    """Return all that decides a training, by name, so that none goes on from another's.

    Args:
        settings: the run's config as it is written.
        dataset: with its splits.
        start_weights: what `weights_digest` returned of the network that it starts from.
    """
    key = _without(settings, _PLACES) | {
        "distill": settings["distill"] and _without(settings["distill"], _PLACES_OF_DISTILL),
        "labels": dataset.labels,
        "images": {
            name: _digest([split.pixels, split.classes]) for name, split in dataset.splits.items()
        },
        START_WEIGHTS: start_weights,
        "software": f"TensorFlow {tf.__version__}, Keras {keras.__version__}",
    }
    plain: Key = json.loads(json.dumps(key))
    return plain


def _without(settings: dict[str, Any], places: tuple[str, ...]) -> dict[str, Any]:
    return {name: value for name, value in settings.items() if name not in places}


def weights_digest(model: keras.Model) -> str:
    """Return the digest of a network's weights, 16 hexadecimal digits."""
    return _digest(model.get_weights())


def _digest(arrays: Iterable[NDArray[Any]]) -> str:
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()[:16]


def check_same(path: Path, theirs: Key, ours: Key) -> None:
    """Raise EdgeclfError if what `path` holds is not of our training.

    Args:
        path: the file.
        theirs: its key.
        ours: that of the training that wants to go on.
    """
    # A setting explains why a digest differs; the other way round it does not.
    found = sorted(_differences(theirs, ours), key=lambda each: _digested(each[0]) is not None)
    if not found:
        return
    name, was, now = found[0]
    if thing := _digested(name):
        what, mend = f"other {thing} than now", "bring those back and repeat"
    else:
        what, mend = f"{name} {was}, now it is {now}", "repeat"
    raise EdgeclfError(
        f"{path}: of a training with {what}; {mend} that command with --resume, or start anew "
        "with --overwrite and without --resume"
    )


def _digested(name: str) -> str | None:
    """Return of what a value of the key is a digest, in words; None of a setting."""
    if name.startswith("images."):
        return f"{name.removeprefix('images.')} images"
    if name.startswith("distill.teacher_"):
        return "scores of the run that teaches"  # by its weights or its temperature
    return START_WEIGHTS if name == START_WEIGHTS else None


def _differences(theirs: Any, ours: Any, name: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Yield the name of each value that differs, with both values."""
    if isinstance(theirs, list) and isinstance(ours, list) and len(theirs) == len(ours):
        theirs, ours = dict(enumerate(theirs)), dict(enumerate(ours))
    if isinstance(theirs, dict) or isinstance(ours, dict):
        theirs, ours = ({} if value is None else value for value in (theirs, ours))
    if not isinstance(theirs, dict) or not isinstance(ours, dict):
        if theirs != ours:
            yield name, theirs, ours
        return
    for key in sorted(theirs.keys() | ours.keys()):
        place = f"{name}.{key}" if name else str(key)
        yield from _differences(theirs.get(key), ours.get(key), place)
