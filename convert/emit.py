"""From the deploy graph to the bytes of a TFLite file."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from ..edge_runtime.quiet import quiet_stderr
from .build import build_tf_keras
from .graph import Graph
from .recipes import Recipe


def emit_tflite(graph: Graph, recipe: Recipe, *, calibration: NDArray[np.uint8] | None) -> bytes:
    """Return `graph` as a TFLite flatbuffer: RGB uint8 (1, height, width, 3) in, scores out.

    The scores are float32, or uint8 with scale 1/256 when `recipe` computes in integers.

    Args:
        graph: a deploy graph.
        recipe: how to quantize.
        calibration: RGB uint8 of shape (images, height, width, 3), for recipes that calibrate.
    """
    model = build_tf_keras(graph)
    shape = (1, *graph.input.shape)
    if recipe.calibrates:
        if calibration is None or not len(calibration):
            raise ValueError(f"recipe {recipe.name} needs calibration images")
        # TFLite turns the float input into uint8 itself, and only then stays free of float.
        converter = _converter(model, tf.TensorSpec(shape, tf.float32))
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: _one_by_one(calibration)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = tf.uint8
        converter.inference_output_type = tf.uint8
    else:
        converter = _converter(model, tf.TensorSpec(shape, tf.uint8))
        if recipe.weights != "float32":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if recipe.weights == "float16":
            converter.target_spec.supported_types = [tf.float16]
    with quiet_stderr():
        flatbuffer: bytes = converter.convert()
    return flatbuffer


def _converter(model: Any, image: Any) -> Any:
    def serve(image: Any) -> Any:
        return model(tf.cast(image, tf.float32), training=False)

    function = tf.function(serve).get_concrete_function(image)
    return tf.lite.TFLiteConverter.from_concrete_functions([function], model)


def _one_by_one(images: NDArray[np.uint8]) -> Iterator[list[NDArray[np.float32]]]:
    for image in images:
        yield [image[np.newaxis].astype(np.float32)]
