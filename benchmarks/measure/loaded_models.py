"""The models that a benchmark holds side by side, behind one face."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...edge_runtime.accelerator.accelerator import Accelerator
from ...edge_runtime.classifier import Classifier
from ...edge_runtime.images import RGBImage
from ...edge_runtime.preprocess import ResizeRule
from ...edge_runtime.quiet import quiet_tensorflow
from ...edge_runtime.tflite.interpreter import (
    Runtime,
    delegated_parts,
    import_runtime,
    names_xnnpack,
)
from ...models.float_model import FloatModel
from ...models.run import read_run
from ..results.schema import Delegate


@dataclass(frozen=True)
class LoadedModel:
    """A model that is ready.

    Attributes:
        input_hw: input height and width in pixels.
        resize: how a photograph is brought to that size.
        infer: from RGB uint8 (height, width, 3) to the raw output.
        finish: from that to float32 scores (classes,).
        score: from RGB uint8 (images, height, width, 3) to float32 scores (images, classes), and
            the indices of the images that the model calls unknown; None if it judges no novelty.
        delegate: who computes it; None for Keras.
    """

    input_hw: tuple[int, int]
    resize: ResizeRule
    infer: Callable[[RGBImage], NDArray[Any]]
    finish: Callable[[NDArray[Any]], NDArray[np.float32]]
    score: Callable[[NDArray[np.uint8]], tuple[NDArray[np.float32], list[int] | None]]
    delegate: Delegate | None


def import_libraries(path: Path, *, runtime: Runtime) -> None:
    """Import what `load_model` will need for `path`, so that its time is not the model's."""
    if path.is_dir():
        quiet_tensorflow()
        from ...models.networks import densenet, weights  # noqa: F401
    else:
        import_runtime(runtime)


def load_model(
    path: Path, *, threads: int, runtime: Runtime, accelerator: Accelerator | None = None
) -> LoadedModel:
    """Open the .tflite file at `path` in `runtime`, or the float Keras model of that folder's run.

    An accelerator has passed its trial before.

    The latter must come before TensorFlow's first operation in this process, which settles its
    threads.
    """
    if path.is_dir():
        return _open_keras(path, threads=threads)
    classifier = Classifier(
        path, threads=threads, runtime=runtime, accelerator=accelerator or "cpu"
    )
    return LoadedModel(
        input_hw=classifier.spec.input_hw,
        resize=classifier.spec.resize,
        infer=classifier.infer,
        finish=classifier.dequantize,
        score=lambda inputs: _answers(classifier, inputs),
        delegate=Delegate(
            parts=delegated_parts(classifier.interpreter),
            xnnpack=names_xnnpack(classifier.notices),
        ),
    )


def _answers(
    classifier: Classifier, inputs: NDArray[np.uint8]
) -> tuple[NDArray[np.float32], list[int] | None]:
    if classifier.spec.novelty is None:
        return np.stack([classifier.scores(image) for image in inputs]), None
    answers = [classifier.answer(classifier.observe(image)) for image in inputs]
    unknown = [at for at, (_, novelty) in enumerate(answers) if novelty and novelty.is_unknown]
    return np.stack([scores for scores, _ in answers]), unknown


def _open_keras(folder: Path, *, threads: int) -> LoadedModel:
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    model = FloatModel(read_run(folder).info)
    return LoadedModel(
        input_hw=model.info.input_hw,
        resize=model.info.resize,
        infer=model.score_one,
        finish=lambda output: output,
        score=lambda inputs: (model.scores(inputs), None),
        delegate=None,
    )
