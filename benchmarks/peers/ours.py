"""TFLite int8 as it comes, and with each of our techniques switched on in turn."""

from collections.abc import Iterator
from typing import Any

import click
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from edgeclf.benchmarks.rivals.exchange import Exchange
from edgeclf.benchmarks.rivals.tflite import open_tflite
from edgeclf.convert.calibrate import pin_input_range
from edgeclf.convert.emit import emit_tflite
from edgeclf.convert.recipes import RECIPES
from edgeclf.convert.rewrite import deploy_graph
from edgeclf.convert.techniques import TECHNIQUES
from edgeclf.edge_runtime.files import write_bytes
from edgeclf.edge_runtime.interpreter import default_threads
from edgeclf.edge_runtime.quiet import quiet_stderr

Images = NDArray[np.uint8]


def score_ours(exchange: Exchange, keras_model: Any, seed: int, *, int16: bool) -> None:
    """Convert and score plain TFLite and each of our steps, calibrated on the images of `seed`.

    With `int16`, int16x8 as well.
    """
    inputs = exchange.inputs[exchange.calibration[seed]]
    _score(exchange, "tflite", seed, _plain_int8(keras_model, inputs))
    graph, pinned = deploy_graph(exchange.graph), pin_input_range(inputs)
    _score(exchange, "rewrite", seed, emit_tflite(graph, RECIPES["int8"], calibration=pinned))
    for technique in TECHNIQUES.values():
        graph = technique.apply(graph, pinned)
        flatbuffer = emit_tflite(graph, RECIPES["int8"], calibration=pinned)
        _score(exchange, technique.name, seed, flatbuffer)
    if int16:
        _score(
            exchange, "int16x8", seed, emit_tflite(graph, RECIPES["int16x8"], calibration=pinned)
        )


def _score(exchange: Exchange, name: str, seed: int, flatbuffer: bytes) -> None:
    path = exchange.model(f"{name}.tflite", seed)
    write_bytes(path, flatbuffer)
    score = open_tflite(path, threads=default_threads())
    with click.progressbar(exchange.scored(seed), label=f"Seed {seed}: scoring {name}") as bar:
        scores = [score(exchange.inputs[place]) for place in bar]
    exchange.write_scores(name, seed, np.stack(scores))


def _plain_int8(keras_model: Any, inputs: Images) -> bytes:
    """Convert as TensorFlow's guide to full-integer quantization says."""

    def calibration() -> Iterator[list[NDArray[np.float32]]]:
        for image in inputs:
            yield [image[np.newaxis].astype(np.float32)]

    with quiet_stderr():
        converter = tf.lite.TFLiteConverter.from_keras_model(keras_model)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = calibration
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.uint8
        flatbuffer: bytes = converter.convert()
    return flatbuffer
