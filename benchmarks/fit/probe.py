"""A process that makes int8 files of untrained networks, whose latency is that of trained ones.

python -m edgeclf.benchmarks.fit.probe

It answers each message of standard input (`benchmarks.measure.messages`): architecture, weights,
input_size, keep (the share of its multiply-accumulates), labels, and file, which it writes. The
weights that a training would start from are sought, so that a network without any costs no
measurement. The file is made as `edgeclf convert` makes it, but by the techniques alone that add or
remove operators, and calibrated on noise.
"""

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

from ...edge_runtime.errors import EdgeclfError
from ...edge_runtime.files import write_bytes
from ...edge_runtime.model_file.container import model_bytes
from ...edge_runtime.quiet import quiet_opencv, quiet_tensorflow
from ...models.float_model import FloatModelInfo
from ...models.networks.architectures import architecture
from ..measure.messages import receive, send

_TECHNIQUES = "input_zero,pixel_pairs,average_pooling,relative_logits"
_NOISE_IMAGES = 2


def make_probe(message: dict[str, Any]) -> None:
    """Write the int8 file of an untrained network.

    Args:
        message: see above.

    Raises:
        EdgeclfError: there are no such weights, or the network cannot be built at this size.
    """
    import keras

    from ...convert.graph.batch_norm import deploy_graph
    from ...convert.graph.heatmap import find_tail
    from ...convert.graph.patch_limits import limit_anomaly
    from ...convert.graph.read_keras import read_keras
    from ...convert.quantize.calibrate import pin_input_range
    from ...convert.quantize.emit import emit_tflite
    from ...convert.recipes import RECIPES
    from ...convert.techniques.registry import (
        apply_techniques,
        calibrate_int8,
        parse_techniques,
    )
    from ...models.networks.classifier import build_classifier
    from ...train.slim.layout import read_layout
    from ...train.slim.narrow import narrow_evenly
    from ...train.slim.network import check_keep

    keras.utils.clear_session()
    chosen = architecture(message["architecture"])
    size_hw = (message["input_size"], message["input_size"])
    _check_weights(message)
    keras.utils.set_random_seed(0)
    labels = tuple(message["labels"])
    model = build_classifier(chosen, classes=len(labels), input_hw=size_hw)
    if (keep := message["keep"]) < 1:
        check_keep(read_layout(model), keep, name=chosen.name)
        model = narrow_evenly(model, keep=keep)
    shape = (_NOISE_IMAGES, *size_hw, 3)
    noise = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    inputs = pin_input_range(noise)
    techniques = parse_techniques(_TECHNIQUES)
    graph = apply_techniques(limit_anomaly(deploy_graph(read_keras(model))), techniques, inputs)
    graph, ranges = calibrate_int8(graph, techniques, inputs)
    recipe = RECIPES["int8"]
    flatbuffer = emit_tflite(
        graph, recipe, calibration=inputs, ranges=ranges, features=find_tail(graph).mean
    )
    info = FloatModelInfo(chosen.name, labels, size_hw, "stretch", Path())
    write_bytes(Path(message["file"]), model_bytes(flatbuffer, info.spec(recipe.name)))


def _check_weights(message: dict[str, Any]) -> None:
    """Raise EdgeclfError if a training could not start from these weights."""
    from ...models.networks.imagenet import imagenet_weights
    from ...models.networks.weights import read_weights

    if message["weights"] == "imagenet":
        imagenet_weights(architecture(message["architecture"]))
    elif message["weights"] != "none":
        read_weights(Path(message["weights"]))


def main() -> None:
    """Work for the process that holds the pipes."""
    # Libraries that print must not print into the answers.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    quiet_opencv()
    quiet_tensorflow()
    while (received := receive(sys.stdin.buffer)) is not None:
        try:
            make_probe(received[0])
            send(answers, {"done": True})
        except EdgeclfError as error:
            send(answers, {"refused": str(error)})


if __name__ == "__main__":
    main()
