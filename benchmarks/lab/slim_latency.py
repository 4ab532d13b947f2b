"""What fewer channels save of an int8 file's latency and size, and what zeroed weights save.

`python -m edgeclf.benchmarks.lab.slim_latency --arch densenet121` needs no images and no training:
an inference takes as long with any weights. They are drawn; channels leave every layer alike
until the share of the multiply-accumulates is reached; and beside these stands the network with the
smallest weights of each kernel set to zero, as magnitude pruning leaves it.
"""

import time
from collections.abc import Iterator
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from ...edge_runtime.command_line.option_types import FiniteRange
from ...edge_runtime.command_line.table import format_table
from ...edge_runtime.quiet import quiet_tensorflow
from ...edge_runtime.tflite.interpreter import Interpreter, open_interpreter
from ...models.networks.architectures import ARCHITECTURES, architecture
from ..measure.machine import BackgroundLoad
from ..results.estimates import median, ratio_estimate

_CLASSES, _IMAGES = 5, 4
_INFERENCES = 3  # of each file in a round
_BLOCKS = 10  # of rounds, in each of which a median is taken: what disturbs a round does not count


@click.command(context_settings={"show_default": True})
@click.option(
    "--arch",
    default="densenet121",
    type=click.Choice(sorted(ARCHITECTURES)),
    help="Network whose files are made, with drawn weights.",
)
@click.option("--keep", default="0.75,0.5,0.25", help="Shares of the multiply-accumulates.")
@click.option("--zeros", default=0.8, type=FiniteRange(0, 1), help="Share of zeroed weights.")
@click.option("--rounds", default=40, type=click.IntRange(min=2), help="Number of rounds to time.")
@click.option("--threads", default=1, type=click.IntRange(min=1), help="Threads of an inference.")
def slim_latency(arch: str, keep: str, zeros: float, rounds: int, threads: int) -> None:
    """Measure int8 files of a network with fewer channels, and of one with zeroed weights."""
    quiet_tensorflow()
    shares = [float(share) for share in keep.split(",")]
    names, parts, files = zip(*_files(arch, shares, zeros), strict=True)
    opened = [
        open_interpreter(f, name=n, threads=threads) for n, f in zip(names, files, strict=True)
    ]
    background = BackgroundLoad()
    ms = time_by_turns(opened, rounds)
    blocks = [block.T for block in np.array_split(ms, min(_BLOCKS, rounds))]
    whole = [block[0] for block in blocks]
    rows = []
    for index, (name, part, file) in enumerate(zip(names, parts, files, strict=True)):
        times = ms[:, index]
        ratio = ratio_estimate([block[index] for block in blocks], reference=whole)
        ends = f"{ratio.value:.3f} [{ratio.interval.low:.3f}, {ratio.interval.high:.3f}]"
        row = [name, f"{part:.3f}", f"{len(file) / 1e6:.2f}", f"{median(list(times)):.2f}", ends]
        rows.append(row)
    header = ["network", "multiply-accumulates", "MB", "p50 ms", "latency / whole"]
    click.echo(format_table(header, rows))
    click.echo(
        f"{rounds} rounds by turns, {threads} thread(s); other processes kept "
        f"{background.cores()} cores busy meanwhile"
    )


def _files(arch: str, shares: list[float], zeros: float) -> Iterator[tuple[str, float, bytes]]:
    """Yield name, share of the multiply-accumulates and int8 file of each network."""
    import keras

    from ...models.networks.classifier import build_classifier
    from ...train.slim.layout import read_layout
    from ...train.slim.narrow import narrow_evenly

    chosen = architecture(arch)
    size_hw = (chosen.input_size, chosen.input_size)
    model = build_classifier(chosen, classes=_CLASSES, input_hw=size_hw)
    whole = read_layout(model).multiplications()
    yield "whole", 1.0, _int8(model)
    for share in shares:
        slim = narrow_evenly(model, keep=share)
        yield f"slim {share:g}", read_layout(slim).multiplications() / whole, _int8(slim)
    for layer in model.layers:
        if isinstance(layer, keras.layers.Conv2D | keras.layers.Dense):
            kernel, *bias = layer.get_weights()
            least = np.quantile(np.abs(kernel), zeros)
            layer.set_weights([np.where(np.abs(kernel) < least, 0, kernel), *bias])
    yield f"{zeros:g} of weights zero", 1.0, _int8(model)


def _int8(model: Any) -> bytes:
    from ...convert.graph.batch_norm import deploy_graph
    from ...convert.graph.read_keras import read_keras
    from ...convert.quantize.emit import emit_tflite
    from ...convert.recipes import RECIPES

    graph = deploy_graph(read_keras(model))
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (_IMAGES, *graph.input.shape)).astype(np.uint8)
    return emit_tflite(graph, RECIPES["int8"], calibration=images)


def time_by_turns(opened: list[Interpreter], rounds: int) -> NDArray[np.float64]:
    """Return the milliseconds of an inference, of shape (rounds, interpreters)."""
    ms = np.zeros((rounds, len(opened)))
    rng = np.random.default_rng(0)
    for interpreter in opened:
        details = interpreter.get_input_details()[0]
        pixels = rng.integers(0, 256, details["shape"]).astype(np.uint8)
        interpreter.set_tensor(details["index"], pixels)
    for index in range(rounds):
        for place in rng.permutation(len(opened)):
            opened[place].invoke()  # after another network the caches are not its own
            start = time.perf_counter()
            for _ in range(_INFERENCES):
                opened[place].invoke()
            ms[index, place] = (time.perf_counter() - start) / _INFERENCES * 1e3
    return ms


if __name__ == "__main__":
    slim_latency()
