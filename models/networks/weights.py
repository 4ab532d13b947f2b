"""Weights by layer name, from every file that holds them: `.keras`, `.weights.h5` and legacy `.h5`.

Files are read as arrays only. No saved graph is ever loaded, so no file can bring code along. Data
sets must lie in the file itself: links, external storage and virtual data sets would bring the
content of other files along, and sizes are checked before anything is read.
"""

import io
import zipfile
import zlib
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
from numpy.typing import NDArray

from ...edge_runtime.errors import EdgeclfError
from .architectures import Architecture
from .classifier import HEAD_NAME

Weights = dict[str, list[NDArray[np.float32]]]

_INSIDE_KERAS = "model.weights.h5"
_FORMATS = "a .keras, .weights.h5 or .h5 file"

# How many times the bytes of a file its arrays may take. Keras compresses nothing; others may, but
# weights become a tenth shorter at best.
_LARGEST_EXPANSION = 8
_DEEPEST = 32  # groups in groups

# What zipfile and h5py raise on damaged bytes.
_DAMAGE = (
    *(zipfile.BadZipFile, zlib.error, EOFError, KeyError, OSError, RuntimeError),
    *(TypeError, ValueError),
)


def read_weights(path: Path) -> Weights:
    """Return the arrays of each layer in the file, in the order of `layer.weights`.

    Raises:
        EdgeclfError: the file is missing, damaged, refers to other files, claims more than it can
            hold, or is no Keras weights.
    """
    if not path.is_file():
        raise EdgeclfError(f"{path}: no readable Keras weights: no such file; give {_FORMATS}")
    try:
        most = _LARGEST_EXPANSION * path.stat().st_size
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                entry = archive.getinfo(_INSIDE_KERAS)
                if entry.file_size > most:
                    raise ValueError(f"{_INSIDE_KERAS} claims {entry.file_size} bytes")
                source: Any = io.BytesIO(archive.read(entry))
        else:
            source = path
        with h5py.File(source, "r") as file:
            arrays = _Arrays(file, most=most)
            weights = arrays.legacy() if "layer_names" in file.attrs else arrays.keras3()
    except _DAMAGE as error:
        reason = " ".join(str(error).split())
        raise EdgeclfError(
            f"{path}: no readable Keras weights: cut short, damaged or another format ({reason}); "
            f"copy it again, or give {_FORMATS}"
        ) from None
    if not weights:
        raise EdgeclfError(f"{path}: holds no layer's weights; give a file that Keras saved")
    return weights


def set_weights(model: keras.Model, weights: Weights, *, source: str, head: bool) -> None:
    """Give each layer of `model` its arrays by name, and complain of any that has none.

    Args:
        model: the network to fill.
        weights: what `read_weights` returned.
        source: where they come from, for the errors.
        head: False leaves the last layer as it is, for classes of its own.

    Raises:
        EdgeclfError: a layer is missing in `weights` or has another shape there.
    """
    for layer in model.layers:
        expected = [tuple(variable.shape) for variable in layer.weights]
        if not expected or (layer.name == HEAD_NAME and not head):
            continue
        arrays = weights.get(layer.name)
        if arrays is None and isinstance(layer, keras.layers.Normalization):
            continue  # preprocessing is ours; Keras Applications keeps it outside
        found = [array.shape for array in arrays or ()]
        if found != expected:
            raise EdgeclfError(
                f"{source}: layer {layer.name!r} has shapes {found}, {model.name} needs {expected};"
                " give weights of this architecture and number of classes"
            )
        layer.set_weights(arrays)


def download_imagenet(architecture: Architecture) -> Weights:
    """Return the ImageNet weights, without the head, by Keras's own download and cache."""
    if architecture.application is None:
        raise EdgeclfError(
            f"there are no ImageNet weights for {architecture.name}; use --weights none, "
            "or --weights FILE"
        )
    shape = (architecture.input_size, architecture.input_size, 3)
    application = getattr(keras.applications, architecture.application)
    try:
        model = application(weights="imagenet", include_top=False, input_shape=shape)
    # Keras turns every failure of urllib into a bare Exception with this text.
    except Exception as error:
        if not isinstance(error, OSError) and "URL fetch failure" not in str(error):
            raise
        raise EdgeclfError(
            f"the ImageNet weights of {architecture.name} cannot be downloaded "
            f"({' '.join(str(error).split())}); go online once, or give --weights FILE or none"
        ) from None
    return {
        layer.name: [np.asarray(value) for value in layer.get_weights()]
        for layer in model.layers
        if layer.weights
    }


class _Arrays:
    """The data sets of an HDF5 file that lie in it."""

    def __init__(self, file: h5py.File, *, most: int) -> None:
        self._file = file
        self._left = most  # bytes that may still be read

    def keras3(self) -> Weights:
        """Return the arrays of each layer of a file by Keras 3."""
        weights: Weights = {}
        self._visit(_child(self._file, "layers"), weights, depth=0)
        return weights

    def legacy(self) -> Weights:
        """Return the arrays of each layer of a file by older ones."""
        weights: Weights = {}
        for name in map(_text, self._file.attrs["layer_names"]):
            group = _child(self._file, name)
            values = [self._read(_child(group, _text(key))) for key in group.attrs["weight_names"]]
            if values:
                weights[name] = values
        return weights

    def _visit(self, group: h5py.Group, weights: Weights, *, depth: int) -> None:
        if depth > _DEEPEST:
            raise ValueError(f"groups {depth} deep")
        children = {key: _child(group, key) for key in group}
        if "name" in group.attrs and children:
            values = [self._read(children[key]) for key in sorted(children, key=int)]
            weights[_text(group.attrs["name"])] = values
            return
        for child in children.values():
            if isinstance(child, h5py.Group):
                self._visit(child, weights, depth=depth + 1)

    def _read(self, found: Any) -> NDArray[np.float32]:
        if not isinstance(found, h5py.Dataset) or found.dtype.kind not in "fiu":
            raise ValueError(f"{found.name} is no array of numbers")
        if found.is_virtual or found.external:
            raise ValueError(f"{found.name} takes its numbers from another file")
        self._left -= found.nbytes
        if self._left < 0:
            raise ValueError(
                f"{found.name} of shape {found.shape} is larger than the file can hold"
            )
        values: NDArray[np.float32] = found[()]
        return values


def _child(group: h5py.Group, path: str) -> Any:
    """Return what lies at `path` in `group` itself; a link to elsewhere is a ValueError."""
    found: Any = group
    for name in filter(None, path.split("/")):
        link = found.get(name, getlink=True)
        if link is None:
            raise KeyError(f"{found.name}/{name} is missing")
        if type(link) is not h5py.HardLink:
            raise ValueError(f"{found.name}/{name} is a link")
        found = found[name]
    return found


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
