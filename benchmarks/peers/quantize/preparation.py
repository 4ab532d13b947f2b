"""The images, the float model, and what everyone makes of it: made once, and kept below --work."""

import csv
import hashlib
import pickle
import random
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray

from edgeclf.benchmarks.peers.environment import run_there
from edgeclf.benchmarks.peers.quantize.exchange import Exchange, write_array
from edgeclf.edge_runtime.errors import EdgeclfError
from edgeclf.edge_runtime.files import sha256_of, write_bytes
from edgeclf.edge_runtime.quiet import quiet_tensorflow
from edgeclf.edge_runtime.tflite.interpreter import default_threads
from edgeclf.models.float_model import FloatModel, FloatModelInfo
from edgeclf.models.networks.architectures import architecture
from edgeclf.models.photographs import Photographs, load_photographs

_PEERS = Path(__file__).resolve().parents[1]
_ROOT = _PEERS.parent.parent
DEFAULT_WORK = Path.home() / ".cache" / "edgeclf-peers"

# Those that onnx_graph.py has been seen to write.
NETWORKS = ("densenet121", "efficientnet-lite0")

# What the peers' models and scores hang on, and what ours do.
_THEIRS = (
    *("quantize/theirs.py", "quantize/yolo_int8.py", "runtimes.py", "requirements.txt"),
    *("quantize/onnx_graph.py", "quantize/windows.py"),
)
_OURS = (
    *("models/**/*.py", "convert/**/*.py"),
    *("benchmarks/peers/quantize/ours.py", "constraints.txt"),
)


def prepare(
    python: Path,
    *,
    arch: str,
    data: Path,
    weights: Path,
    work: Path,
    seeds: int,
    calibration_images: int,
    int16: bool = False,
) -> Exchange:
    """Return the exchange in which every model lies, quantized and scored for every seed.

    Args:
        python: of the peers' environment.
        arch: name of the architecture, one of `NETWORKS`.
        data: folder of photographs; `data`.labels.csv gives their classes.
        weights: the architecture's, with the ImageNet head.
        work: the folder below which all is kept.
        seeds: how many draws of the calibration images, from 0 on.
        calibration_images: how many of the photographs calibrate.
        int16: whether to make int16x8, too.

    Raises:
        EdgeclfError: the photographs, their classes or the weights will not do, or a peer fails.
    """
    size = architecture(arch).input_size

    @cache
    def float_model() -> FloatModel:
        quiet_tensorflow()
        labels = tuple(map(str, range(1000)))
        return FloatModel(FloatModelInfo(arch, labels, (size, size), "crop", weights))

    inputs, classes = load_samples(data, size_hw=(size, size), count=calibration_images)
    key = exchange_key(arch, inputs, weights, calibration_images)
    exchange = Exchange(work / key)
    calibration = [draw(len(inputs), calibration_images, seed) for seed in range(seeds)]
    write_array(exchange.folder / "inputs.npy", inputs)
    write_array(exchange.folder / "truth.npy", classes)
    write_array(exchange.folder / "calibration.npy", np.stack(calibration))
    source = _digest(path for pattern in _OURS for path in sorted(_ROOT.glob(pattern)))
    if not exchange.is_made("float", source):
        _write_float(exchange, float_model())
        exchange.note_made("float", source)
    run_there(python, "quantize.theirs", exchange.folder, str(default_threads()))
    for seed in exchange.seeds:
        made = [f"seed{seed}/ours", *([f"seed{seed}/ours-int16x8"] if int16 else [])]
        if not all(exchange.is_made(name, source) for name in made):
            from edgeclf.benchmarks.peers.quantize.ours import score_ours

            score_ours(exchange, float_model(), seed, int16=int16)
            for name in made:
                exchange.note_made(name, source)
    return exchange


def exchange_key(arch: str, inputs: NDArray[np.uint8], weights: Path, count: int) -> str:
    """Return the name of the folder that only these make use of.

    Args:
        arch: name of the architecture.
        inputs: RGB images of shape (images, height, width, 3).
        weights: the architecture's.
        count: how many of the images calibrate.
    """
    pixels = hashlib.sha256(inputs.tobytes()).hexdigest()
    theirs = _digest(_PEERS / name for name in _THEIRS)
    key = "".join((arch, pixels, str(count), sha256_of(weights), theirs))
    return hashlib.sha256(key.encode()).hexdigest()[:12]


def load_samples(
    data: Path, *, size_hw: tuple[int, int], count: int
) -> tuple[NDArray[np.uint8], NDArray[np.intp]]:
    """Return the photographs of `data` as RGB (images, h, w, 3), and their classes.

    Raises:
        EdgeclfError: its table cannot be read, or does not name more than `count` images.
    """
    table = data.with_name(f"{data.name}.labels.csv")
    try:
        with table.open(newline="") as file:
            rows = [(data / row["path"], int(row["class_index"])) for row in csv.DictReader(file)]
    except (OSError, KeyError, ValueError) as error:
        raise EdgeclfError(
            f"{table}: cannot be read ({error!r}); give --data FOLDER with FOLDER.labels.csv "
            "beside it, columns path and class_index"
        ) from None
    if len(rows) <= count:
        raise EdgeclfError(f"{table}: {len(rows)} images; give more than the {count} to calibrate")
    photographs = Photographs(tuple(path for path, _ in rows), tuple(str(i) for _, i in rows))
    inputs, classes = load_photographs(photographs, size_hw=size_hw, rule="crop")
    return inputs, np.asarray(classes, np.intp)


def draw(images: int, count: int, seed: int) -> NDArray[np.intp]:
    """Return the places of `count` of `images` images, by `seed`."""
    places = list(range(images))
    random.Random(seed).shuffle(places)
    return np.asarray(places[:count])


def _write_float(exchange: Exchange, float_model: FloatModel) -> None:
    from edgeclf.benchmarks.peers.quantize.ours import plain_tflite
    from edgeclf.convert.graph.read_keras import read_keras

    click.echo("Scoring float32")
    write_array(exchange.folder / "reference.npy", float_model.scores(exchange.inputs))
    graph = read_keras(float_model.keras_model)
    write_bytes(exchange.folder / "graph.pickle", pickle.dumps(graph))
    write_bytes(exchange.folder / "float.tflite", plain_tflite(float_model.keras_model, None))


def _digest(paths: Iterable[Path]) -> str:
    return hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()
