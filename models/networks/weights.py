"""Weights by layer name, from every file that holds them.

That is `.keras`, `.weights.h5` and legacy `.h5` of Keras, a state dict of PyTorch (`.pth`), and
`.npz` with the names of such a state dict and the axes of Keras.

Files are read as arrays only. No saved graph is ever loaded, so no file can bring code along. Data
sets must lie in the file itself: links, external storage and virtual data sets would bring the
content of other files along, and sizes are checked before anything is read.
"""

import io
import math
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from ...edge_runtime.errors import EdgeclfError
from . import torch_weights
from .classifier import HEAD_NAME

Weights = dict[str, list[NDArray[np.float32]]]

_INSIDE_KERAS = "model.weights.h5"
_NPY = ".npy"
_NPY_HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}

# A state dict's names of a layer's arrays in the order of `layer.weights`, and where the axes of
# dense kernels and convolutions are in Keras; those of a depthwise convolution are (2, 3, 0, 1).
_TORCH_ORDER = ("weight", "bias", "running_mean", "running_var")
_KERAS_AXES = {2: (1, 0), 4: (2, 3, 1, 0)}
_FORMATS = "a .keras, .weights.h5, .h5, .npz or .pth file"

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
        weights = _read(path, most=_LARGEST_EXPANSION * path.stat().st_size)
    except _DAMAGE as error:
        reason = " ".join(str(error).split())
        raise EdgeclfError(
            f"{path}: no readable Keras weights: cut short, damaged or another format ({reason}); "
            f"copy it again, or give {_FORMATS}"
        ) from None
    if not weights:
        raise EdgeclfError(f"{path}: holds no layer's weights; give a file that Keras saved")
    return weights


def _read(path: Path, *, most: int) -> Weights:
    with path.open("rb") as file:
        if file.read(len(torch_weights.MAGIC)) == torch_weights.MAGIC:
            file.seek(0)
            return _by_layer(torch_weights.read_state_dict(file.read()), of_torch=True)
    source: Any = path
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            if all(entry.filename.endswith(_NPY) for entry in archive.infolist()):
                return _by_layer(_read_npz(archive, most=most), of_torch=False)
            entry = archive.getinfo(_INSIDE_KERAS)
            if entry.file_size > most:
                raise ValueError(f"{_INSIDE_KERAS} claims {entry.file_size} bytes")
            source = io.BytesIO(archive.read(entry))
    with h5py.File(source, "r") as opened:
        arrays = _Arrays(opened, most=most)
        return arrays.legacy() if "layer_names" in opened.attrs else arrays.keras3()


def _read_npz(archive: zipfile.ZipFile, *, most: int) -> dict[str, NDArray[Any]]:
    arrays = {}
    for entry in archive.infolist():
        most -= entry.file_size
        if most < 0:
            raise ValueError(f"{entry.filename} claims {entry.file_size} bytes")
        content = io.BytesIO(archive.read(entry))
        shape, _, dtype = _NPY_HEADERS[npy.read_magic(content)](content)
        if dtype.kind not in "fiu" or math.prod(shape) * dtype.itemsize > entry.file_size:
            raise ValueError(f"{entry.filename} of shape {shape} is no array of numbers, or cut")
        content.seek(0)
        arrays[entry.filename.removesuffix(_NPY)] = npy.read_array(content, allow_pickle=False)
    return arrays


def _by_layer(arrays: dict[str, NDArray[Any]], *, of_torch: bool) -> Weights:
    """Return the arrays of a state dict by the names of our layers, in Keras's order and axes."""
    layers: dict[str, dict[str, NDArray[np.float32]]] = {}
    for name, array in arrays.items():
        layer, _, kind = name.rpartition(".")
        if kind in _TORCH_ORDER:
            axes: Sequence[int] = range(array.ndim)
            if of_torch and kind == "weight":
                depthwise = array.ndim == 4 and "depthwise" in layer
                axes = (2, 3, 0, 1) if depthwise else _KERAS_AXES.get(array.ndim, axes)
            turned = np.ascontiguousarray(array.transpose(*axes), np.float32)
            layers.setdefault(_keras_name(layer), {})[kind] = turned
    return {
        layer: [found[kind] for kind in _TORCH_ORDER if kind in found]
        for layer, found in layers.items()
    }


def _keras_name(layer: str) -> str:
    name = layer.replace("._", "_").replace(".", "_").lstrip("_")
    return HEAD_NAME if name == "fc" else name


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
