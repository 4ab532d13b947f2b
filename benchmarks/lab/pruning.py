"""What pruning single weights makes of a run, beside whole channels that leave (`edgeclf slim`).

`python -m edgeclf.benchmarks.lab.pruning RUN --slim SLIM` prunes the run's network with tfmot's
`prune_low_magnitude` while it is trained towards what it said before, as `edgeclf slim` does. Each
network is then an int8 file without any of our techniques, which would fill the zeros again.
"""

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from ...convert.graph.nodes import Conv, Dense, Graph
from ...edge_runtime.command_line.table import format_table
from ...edge_runtime.quiet import quiet_tensorflow
from ...edge_runtime.tflite.interpreter import open_interpreter
from ...models.data.batches import unlabelled_batches
from ...models.float_model import FloatModel
from ...models.photographs import load_photographs, run_photographs
from ...models.run import Run, read_run
from ..results.estimates import median
from .slim_latency import time_by_turns

_CALIBRATION = 100
# Of the two that were tried on the demo's run: 1e-4 recovers far less.
_LEARNING_RATE = 2e-3
# The zeros grow until this share of the training is over.
_GROWS = 2 / 3
_HEADER = ("network", "zeros", "accuracy", "MB", "MB by gzip", "p50 ms", "latency / whole")


@click.command(context_settings={"show_default": True})
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--sparsity", default="0.5,0.8", help="Shares of the weights that become zero.")
@click.option("--epochs", default=10, type=click.IntRange(min=1), help="Epochs of each pruning.")
@click.option(
    "--slim",
    "slims",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Run of `edgeclf slim` to stand beside; repeatable.",
)
@click.option("--rounds", default=40, type=click.IntRange(min=2), help="Number of rounds to time.")
def pruning(run: Path, sparsity: str, epochs: int, slims: tuple[Path, ...], rounds: int) -> None:
    """Prune RUN, and measure test accuracy in float, and size and latency of int8 files."""
    quiet_tensorflow()
    whole = read_run(run)
    pixels, labels = _images(whole, "test")
    truth = np.asarray([whole.info.labels.index(label) for label in labels])
    train, _ = _images(whole, "train")
    names, cells, files = [], [], []
    for name, graph in _networks(whole, train, slims, map(float, sparsity.split(",")), epochs):
        names.append(name)
        accuracy = float((_scores(graph, pixels).argmax(1) == truth).mean())
        files.append(_int8(graph, train[:_CALIBRATION]))
        compressed = len(gzip.compress(files[-1]))
        figures = (f"{_zeros(graph):.2f}", f"{accuracy:.3f}", _megabytes(len(files[-1])))
        cells.append([name, *figures, _megabytes(compressed)])
        click.echo(" ".join(cells[-1]))
    opened = [open_interpreter(f, name=n, threads=1) for n, f in zip(names, files, strict=True)]
    ms = time_by_turns(opened, rounds)
    for row, times in zip(cells, ms.T, strict=True):
        row += [f"{median(list(times)):.1f}", f"{float((times / ms[:, 0]).mean()):.3f}"]
    click.echo(format_table(list(_HEADER), cells))


def _networks(
    whole: Run,
    train: NDArray[np.uint8],
    slims: tuple[Path, ...],
    shares: Iterator[float],
    epochs: int,
) -> Iterator[tuple[str, Graph]]:
    graph = _graph(whole)
    yield "whole", graph
    for slim in slims:
        yield slim.name, _graph(read_run(slim))
    for share in shares:
        yield f"tfmot {share:g}", _prune(graph, train, whole, share=share, epochs=epochs)


def _prune(graph: Graph, train: NDArray[np.uint8], run: Run, *, share: float, epochs: int) -> Graph:
    """Return the graph with such a share of each kernel zero, trained towards its own scores."""
    import tensorflow as tf
    import tf_keras
    from tensorflow_model_optimization.sparsity.keras import PolynomialDecay, prune_low_magnitude

    from ...convert.graph.to_keras import DeployModel, build_layers, build_tf_keras, image_batch
    from ...convert.quantize.fake_quant import learned

    batches = unlabelled_batches(train, batch_size=run.batch_size, config=run.augment, seed=0)
    steps = epochs * len(batches)
    schedule = PolynomialDecay(0.0, share, begin_step=0, end_step=int(_GROWS * steps), frequency=1)
    pruned = []

    def wrapped(node: Any, layer: Any) -> Any:
        if not isinstance(node, Conv | Dense):
            return layer
        pruned.append(prune_low_magnitude(layer, pruning_schedule=schedule))
        return pruned[-1]

    teacher, student = build_tf_keras(graph), DeployModel(graph, build_layers(graph, wrapped))
    weights = student.trainable_weights
    optimizer = tf_keras.optimizers.Adam(
        tf_keras.optimizers.schedules.CosineDecay(_LEARNING_RATE, steps)
    )
    optimizer.build(weights)
    divergence = tf_keras.losses.KLDivergence()
    number = tf.TensorSpec((), tf.int64)

    @tf.function(input_signature=[image_batch(graph), number], autograph=False)  # type: ignore[untyped-decorator]
    def step(images: Any, number: Any) -> None:
        wanted = teacher(images, training=False)
        with tf.GradientTape() as tape:
            loss = divergence(wanted, student(images, training=False))
        optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
        for layer in pruned:  # what tfmot's callback and training pass do
            layer.pruning_step.assign(number)
            layer.pruning_obj.conditional_mask_update()
            layer.pruning_obj.weight_mask_op()

    done = 0
    for epoch in range(epochs):
        with click.progressbar(range(len(batches)), label=f"{share:g}: epoch {epoch + 1}") as bar:
            for index in bar:
                step(tf.constant(batches[index][0]), tf.constant(done, tf.int64))
                done += 1
        batches.on_epoch_end()
    return learned(graph, student)


def _graph(run: Run) -> Graph:
    from ...convert.graph.batch_norm import deploy_graph
    from ...convert.graph.read_keras import read_keras

    return deploy_graph(read_keras(FloatModel(run.info).keras_model))


def _images(run: Run, split: str) -> tuple[NDArray[np.uint8], tuple[str, ...]]:
    photographs = run_photographs(run, split, data=None)
    return load_photographs(photographs, size_hw=run.info.input_hw, rule=run.info.resize)


def _scores(graph: Graph, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    from ...convert.graph.to_keras import build_tf_keras, scores_by

    return scores_by(build_tf_keras(graph).traced(), pixels)


def _zeros(graph: Graph) -> float:
    kernels = [node.kernel for node in graph if isinstance(node, Conv | Dense)]
    return sum(int((each == 0).sum()) for each in kernels) / sum(each.size for each in kernels)


def _int8(graph: Graph, calibration: NDArray[np.uint8]) -> bytes:
    from ...convert.quantize.calibrate import pin_input_range
    from ...convert.quantize.emit import emit_int8
    from ...convert.techniques.registry import calibrate_int8

    return emit_int8(*calibrate_int8(graph, (), pin_input_range(calibration)))


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.2f}"


if __name__ == "__main__":
    pruning()
