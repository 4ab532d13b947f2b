"""Weights by layer name, from every file that holds them: `.keras`, `.weights.h5` and legacy `.h5`.

Files are read as arrays only. No saved graph is ever loaded, so no file can bring code along.
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

# What zipfile and h5py raise on damaged bytes.
_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, KeyError, OSError, RuntimeError, ValueError)


def read_weights(path: Path) -> Weights:
    """Return the arrays of each layer in the file, in the order of `layer.weights`.

    Raises:
        EdgeclfError: the file is missing, damaged, or no Keras weights.
    """
    if not path.is_file():
        raise EdgeclfError(f"{path}: no readable Keras weights: no such file; give {_FORMATS}")
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                source: Any = io.BytesIO(archive.read(_INSIDE_KERAS))
        else:
            source = path
        with h5py.File(source, "r") as file:
            weights = _read_legacy(file) if "layer_names" in file.attrs else _read_keras3(file)
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


def _read_keras3(file: h5py.File) -> Weights:
    weights: Weights = {}

    def visit(_path: str, group: Any) -> None:
        if isinstance(group, h5py.Group) and "name" in group.attrs and len(group):
            values = [group[key][()] for key in sorted(group, key=int)]
            weights[_text(group.attrs["name"])] = values

    file["layers"].visititems(visit)
    return weights


def _read_legacy(file: h5py.File) -> Weights:
    weights: Weights = {}
    for name in map(_text, file.attrs["layer_names"]):
        group = file[name]
        values = [group[_text(key)][()] for key in group.attrs["weight_names"]]
        if values:
            weights[name] = values
    return weights


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
