"""TFLite int8 as it comes, and with each of our techniques switched on in turn."""

from contextlib import redirect_stdout
from dataclasses import replace
from io import StringIO
from typing import Any

import click
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from edgeclf.benchmarks.peers.quantize.exchange import Exchange
from edgeclf.benchmarks.peers.runtimes import open_tflite
from edgeclf.convert.graph.batch_norm import deploy_graph
from edgeclf.convert.quantize.calibrate import pin_input_range
from edgeclf.convert.quantize.emit import emit_int8, emit_tflite
from edgeclf.convert.recipes import RECIPES
from edgeclf.convert.techniques.registry import TECHNIQUES, calibrate_int8
from edgeclf.convert.techniques.technique import Technique
from edgeclf.edge_runtime.files import write_bytes
from edgeclf.edge_runtime.model_file.container import write_model
from edgeclf.edge_runtime.model_file.self_test import make_self_test
from edgeclf.edge_runtime.quiet import quiet_stderr
from edgeclf.edge_runtime.tflite.interpreter import default_threads
from edgeclf.models.float_model import FloatModel

Images = NDArray[np.uint8]


def score_ours(exchange: Exchange, float_model: FloatModel, seed: int, *, int16: bool) -> None:
    """Convert and score plain TFLite and each of our steps, calibrated on the images of `seed`.

    With `int16`, int16x8 as well. Beside them are left our float32 and int8 as `edgeclf convert`
    writes them.
    """
    inputs = exchange.inputs[exchange.calibration[seed]]
    _score(exchange, "tflite", seed, plain_tflite(float_model.keras_model, inputs))
    graph, pinned = deploy_graph(exchange.graph), pin_input_range(inputs)
    _finish(
        exchange,
        "float32",
        seed,
        float_model,
        emit_tflite(graph, RECIPES["float32"], calibration=None),
    )
    flatbuffer = emit_int8(*calibrate_int8(graph, (), pinned))
    _score(exchange, "rewrite", seed, flatbuffer)
    techniques: list[Technique] = []
    for technique in TECHNIQUES.values():
        techniques.append(technique)
        graph = technique.apply(graph, pinned)
        flatbuffer = emit_int8(*calibrate_int8(graph, techniques, pinned))
        _score(exchange, technique.name, seed, flatbuffer)
    _finish(exchange, "int8", seed, float_model, flatbuffer)
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


def _finish(
    exchange: Exchange, recipe: str, seed: int, float_model: FloatModel, flatbuffer: bytes
) -> None:
    """Write the model as `edgeclf convert` does, with what a client must know inside."""
    spec = replace(float_model.info.spec(recipe), self_test=make_self_test(flatbuffer))
    write_model(exchange.model(f"edgeclf-{recipe}.tflite", seed), flatbuffer, spec)


def plain_tflite(keras_model: Any, inputs: Images | None) -> bytes:
    """Convert as TensorFlow's guide says: to float32 or, calibrated on `inputs`, full integer."""
    converter = tf.lite.TFLiteConverter.from_keras_model(keras_model)
    if inputs is not None:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: (
            [image[np.newaxis].astype(np.float32)] for image in inputs
        )
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.uint8
    with quiet_stderr(), redirect_stdout(StringIO()):  # where Keras lists every variable
        flatbuffer: bytes = converter.convert()
    return flatbuffer
