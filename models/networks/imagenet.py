"""ImageNet weights of an architecture: those that Keras downloads, or those in a package."""

import hashlib
from importlib.util import find_spec
from pathlib import Path

import click
import keras
import numpy as np

from ...edge_runtime.errors import EdgeclfError
from .architectures import Architecture, WeightsPackage
from .weights import Weights, read_weights

_NONE = "give --weights FILE or none"


def imagenet_weights(architecture: Architecture) -> Weights:
    """Return the ImageNet weights of `architecture`, without the head if Keras downloads them.

    Raises:
        EdgeclfError: there are none, the download fails, or the package is missing or changed.
    """
    if architecture.package is not None:
        path = packaged_weights(architecture.package)
        click.echo(f"ImageNet weights: {path.name}, sha256 {architecture.package.sha256}")
        return read_weights(path)
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
            f"({' '.join(str(error).split())}); go online once, or {_NONE}"
        ) from None
    return {
        layer.name: [np.asarray(value) for value in layer.get_weights()]
        for layer in model.layers
        if layer.weights
    }


def packaged_weights(package: WeightsPackage) -> Path:
    """Return the weights file of an installed package, whose code is not run.

    Raises:
        EdgeclfError: the package is not installed, or its file is another than it was.
    """
    spec = find_spec(package.name.replace("-", "_"))
    folders = (spec.submodule_search_locations if spec else None) or ()
    path = next((path for one in folders if (path := Path(one) / package.file).is_file()), None)
    if path is None:
        raise EdgeclfError(
            f"the ImageNet weights need {package.name}: pip install 'edgeclf[lite]'; or {_NONE}"
        )
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != package.sha256:
        raise EdgeclfError(
            f"{path}: expected sha256 {package.sha256}, got {found}; install {package.name} "
            f"again, or {_NONE}"
        )
    return path
