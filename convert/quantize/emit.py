"""From the deploy graph to the bytes of a TFLite file."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from ...edge_runtime.quiet import quiet_stderr
from ...edge_runtime.tflite.flatbuffer import root_table
from ...edge_runtime.tflite.tflite_file import IDENTIFIER, parse_tflite
from ..graph.nodes import Graph
from ..graph.softmax_head import last_dense
from ..graph.to_keras import build_tf_keras
from ..recipes import Recipe
from .fake_quant import annotate, on_grid
from .int16_headroom import add_headroom
from .int16_scores import complete_scores
from .ranges import TensorRange, calibrate_ranges

# Slots of a model and of a graph in the schema of .tflite files.
_GRAPHS, _OUTPUTS = 2, 2


def emit_tflite(
    graph: Graph,
    recipe: Recipe,
    *,
    calibration: NDArray[np.uint8] | None,
    ranges: dict[str, TensorRange] | None = None,
    features: str | None = None,
) -> bytes:
    """Return `graph` as a TFLite flatbuffer: RGB uint8 (1, height, width, 3) in, scores out.

    The scores are float32, or uint8 with scale 1/256 when `recipe` computes in integers.

    Args:
        graph: a deploy graph.
        recipe: how to quantize.
        calibration: RGB uint8 of shape (images, height, width, 3), for recipes that calibrate.
        ranges: those of int8, where `recipe` has its own; None for what `calibrate_ranges` finds.
        features: name of a node whose value shall be the second output, of the scores' type.
    """
    if ranges is None and recipe.calibrates and (calibration is None or not len(calibration)):
        raise ValueError(f"recipe {recipe.name} needs calibration images")
    if recipe.has_own_ranges(unknown_layers=graph.unknown_layers):
        if ranges is None:
            assert calibration is not None
            ranges = calibrate_ranges(graph, calibration)
        return emit_int8(graph, ranges, features=features)
    model = build_tf_keras(graph, outputs=_outputs(graph, features))
    shape = (1, *graph.input.shape)

    def serve(image: Any) -> Any:
        return _named(model(tf.cast(image, tf.float32), training=False))

    if recipe.activations == "int8":
        # TFLite turns the float input into uint8 itself, and only then stays free of float.
        converter = _converter(serve, model, tf.TensorSpec(shape, tf.float32))
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.uint8
    else:
        converter = _converter(serve, model, tf.TensorSpec(shape, tf.uint8))
    if recipe.activations == "int16":
        converter.target_spec.supported_ops = [
            tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8,
            tf.lite.OpsSet.TFLITE_BUILTINS,  # for the cast of the pixels
        ]
    if recipe.calibrates:
        assert calibration is not None
        kind = np.float32 if recipe.activations == "int8" else np.uint8
        converter.representative_dataset = lambda: _one_by_one(calibration, kind)
    if recipe.weights != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if recipe.weights == "float16":
        converter.target_spec.supported_types = [tf.float16]
    flatbuffer = _converted(converter)
    if recipe.activations == "int16":
        flatbuffer = add_headroom(flatbuffer)
        return complete_scores(flatbuffer) if last_dense(graph) else flatbuffer
    return flatbuffer


def emit_int8(
    graph: Graph, ranges: dict[str, TensorRange], *, features: str | None = None
) -> bytes:
    """Return `graph` as a TFLite flatbuffer that computes in int8: RGB uint8 in, uint8 scores out.

    Args:
        graph: a deploy graph.
        ranges: what `calibrate_ranges` returned for it.
        features: name of a node whose value shall be the second output, uint8 too.
    """
    zero = graph.input.zero
    counted = replace(graph.input, zero=0)
    reading = Graph([counted if node is graph.input else node for node in graph])
    model = annotate(on_grid(reading, ranges), ranges, outputs=_outputs(graph, features))

    def serve(image: Any) -> Any:
        # The input tensor gets `zero` as its zero point, and its bytes are the pixels as they are.
        pixels = tf.quantization.fake_quant_with_min_max_args(image, -zero, 255 - zero)
        return _named(model(pixels, training=False))

    converter = _converter(serve, model, tf.TensorSpec((1, *graph.input.shape), tf.float32))
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.inference_input_type = converter.inference_output_type = tf.uint8
    return _converted(converter)


def _converted(converter: Any) -> bytes:
    with quiet_stderr():
        flatbuffer: bytes = converter.convert()
    return _scores_first(flatbuffer)


def _outputs(graph: Graph, features: str | None) -> list[str]:
    return [graph.output.name] if features is None else [graph.output.name, features]


def _named(made: Any) -> Any:
    return dict(zip(("scores", "features"), made, strict=True)) if isinstance(made, list) else made


def _scores_first(flatbuffer: bytes) -> bytes:
    """Return the model with the softmax's output in front: TFLite may turn them round."""
    operators = parse_tflite(flatbuffer).operators
    maker = {place: operator for operator in operators for place in operator.outputs}

    def is_not_scores(place: int) -> bool:
        while place in maker and maker[place].name in {"QUANTIZE", "DEQUANTIZE", "MUL"}:
            place = maker[place].inputs[0]
        return place not in maker or maker[place].name != "SOFTMAX"

    graph = root_table(flatbuffer, IDENTIFIER).tables(_GRAPHS)[0]
    outputs = graph.array(_OUTPUTS, "i4")
    turned = np.array(sorted(outputs, key=is_not_scores), outputs.dtype)
    start = graph.target(_OUTPUTS) + 4  # a vector begins with its length
    return flatbuffer[:start] + turned.tobytes() + flatbuffer[start + turned.nbytes :]


def _converter(serve: Callable[[Any], Any], model: Any, image: Any) -> Any:
    function = tf.function(serve, autograph=False).get_concrete_function(image)
    # TFLite saves this on its way. A Keras model would have each of its layers traced anew for it,
    # most of a conversion's time; the function needs no more of it than the variables.
    module: Any = tf.Module()
    module.variables_of_model = model.variables
    return tf.lite.TFLiteConverter.from_concrete_functions([function], module)


def _one_by_one(images: NDArray[np.uint8], kind: type[np.generic]) -> Iterator[list[NDArray[Any]]]:
    for image in images:
        yield [image[np.newaxis].astype(kind)]
