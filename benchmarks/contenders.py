"""The models that a benchmark holds side by side, behind one face."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ..edge_runtime.classifier import Classifier
from ..edge_runtime.errors import EdgeclfError
from ..edge_runtime.images import RGBImage
from ..edge_runtime.preprocess import ResizeRule
from ..edge_runtime.quiet import quiet_tensorflow
from ..models.run import FloatModel, read_run


class Scorer(Protocol):
    """Gives the class scores of one input."""

    def __call__(self, model_input: RGBImage, /) -> NDArray[np.float32]: ...


@dataclass(frozen=True)
class Contender:
    """A model to measure.

    Attributes:
        name: how tables call it.
        path: the .tflite file, or the run's folder for the float Keras model.
        bytes: size of the file that holds the weights.
        recipe: how it was quantized; `keras` for the float Keras model.
        labels: class names in the order of the output.
        input_hw: input height and width in pixels.
        resize: how a photograph is brought to that size.
        scores: from RGB uint8 (height, width, 3) to float32 (classes,).
    """

    name: str
    path: Path
    bytes: int
    recipe: str
    labels: tuple[str, ...]
    input_hw: tuple[int, int]
    resize: ResizeRule
    scores: Scorer


def open_contender(path: Path, *, threads: int, name: str | None = None) -> Contender:
    """Open the .tflite file at `path`, or the float Keras model of the run in that folder."""
    if path.is_dir():
        return _open_keras(path, name=name or "keras", threads=threads)
    classifier = Classifier(path, threads=threads)
    spec = classifier.spec
    return Contender(
        name=name or path.stem,
        path=path,
        bytes=path.stat().st_size,
        recipe=spec.recipe,
        labels=spec.labels,
        input_hw=spec.input_hw,
        resize=spec.resize,
        scores=classifier.scores,
    )


def _open_keras(folder: Path, *, name: str, threads: int) -> Contender:
    info = read_run(folder).info
    quiet_tensorflow()
    import tensorflow as tf

    now = tf.config.threading.get_intra_op_parallelism_threads() or os.cpu_count()
    if now != threads:
        try:
            tf.config.threading.set_intra_op_parallelism_threads(threads)
        except RuntimeError:  # only possible before TensorFlow's first operation
            raise EdgeclfError(
                f"{folder}: TensorFlow runs already, on another number of threads than {threads}; "
                "give one run only"
            ) from None
    return Contender(
        name=name,
        path=folder,
        bytes=info.weights.stat().st_size,
        recipe="keras",
        labels=info.labels,
        input_hw=info.input_hw,
        resize=info.resize,
        scores=FloatModel(info).score_one,
    )
