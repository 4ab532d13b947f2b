"""The peers' side: quantize and score as each of them recommends.

Runs in the peers' environment; `preparation.py` starts it.
"""

import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click
import nncf  # type: ignore[import-not-found]
import numpy as np
import onnx  # type: ignore[import-not-found]
import openvino  # type: ignore[import-not-found]
from numpy.typing import NDArray
from onnxruntime.quantization import (  # type: ignore[import-not-found]
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import (  # type: ignore[import-not-found]
    quant_pre_process,
)

from edgeclf.benchmarks.peers.quantize.exchange import Exchange
from edgeclf.benchmarks.peers.quantize.onnx_graph import build_onnx, normalisation
from edgeclf.benchmarks.peers.runtimes import (
    Normalisation,
    open_ncnn,
    open_onnxruntime,
    open_openvino,
)
from edgeclf.edge_runtime.files import write_json

Array = NDArray[np.float32]
Scorer = Callable[[Array], Array]

_CHECKED_IMAGES = 32


def _quantize_onnxruntime(activations: str) -> Callable[[Path, Array, Path], None]:
    """Static, QDQ, MinMax, weights per channel.

    https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html
    """

    def quantize(source: Path, calibration: Array, target: Path) -> None:
        prepared = source.with_name("prepared.onnx")
        quant_pre_process(source, prepared)
        quantize_static(
            prepared,
            target,
            _Reader(calibration, onnx.load(source).graph.input[0].name),
            quant_format=QuantFormat.QDQ,
            activation_type=QuantType[activations],
            weight_type=QuantType.QInt8,
            per_channel=True,
            calibrate_method=CalibrationMethod.MinMax,
        )

    return quantize


def _quantize_nncf(source: Path, calibration: Array, target: Path) -> None:
    """Mixed preset, with the default bias correction: the full one takes ten times as long.

    https://docs.openvino.ai/2026/openvino-workflow/model-optimization-guide/quantizing-models-post-training/basic-quantization-flow.html
    """
    quantized = nncf.quantize(
        openvino.convert_model(source),
        nncf.Dataset(list(calibration[:, np.newaxis])),
        preset=nncf.QuantizationPreset.MIXED,
        subset_size=len(calibration),
    )
    openvino.save_model(quantized, target, compress_to_fp16=False)


class _Reader(CalibrationDataReader):  # type: ignore[misc]
    def __init__(self, images: Array, name: str) -> None:
        self._feeds: Iterator[dict[str, Any]] = iter([{name: image[None]} for image in images])

    def get_next(self) -> dict[str, Any] | None:
        return next(self._feeds, None)


# How each is quantized, opened, and what its file is called.
PEERS: dict[str, tuple[Callable[[Path, Array, Path], None], Callable[..., Scorer], str]] = {
    "ort-s8s8": (_quantize_onnxruntime("QInt8"), open_onnxruntime, "ort-s8s8.onnx"),
    "ort-u8s8": (_quantize_onnxruntime("QUInt8"), open_onnxruntime, "ort-u8s8.onnx"),
    "nncf": (_quantize_nncf, open_openvino, "nncf.xml"),
}


# The float model's files.
FLOAT: dict[str, Callable[..., Scorer]] = {
    "float.onnx": open_onnxruntime,
    "float.xml": open_openvino,
    "float.ncnn.param": open_ncnn,
}


def main(folder: Path, threads: int) -> None:
    """Score every peer for every seed, and keep what has been scored before."""
    exchange = Exchange(folder)
    source = _write_float(exchange)
    affine = normalisation(exchange.graph)
    normalise = Normalisation(tuple(affine.scale.tolist()), tuple(affine.shift.tolist()))
    write_json(folder / "normalisation.json", asdict(normalise))
    inputs = normalise(exchange.inputs)
    for file, opened in FLOAT.items():
        scores = _score(opened(folder / file, threads=threads), inputs[:_CHECKED_IMAGES])
        _check(file, scores, exchange)
    for seed in exchange.seeds:
        for name, (quantize, opened, file) in PEERS.items():
            if exchange.has_scores(name, seed):
                continue
            click.echo(f"seed {seed}: quantizing {name}")
            target = exchange.model(file, seed)
            target.parent.mkdir(exist_ok=True)
            quantize(source, inputs[exchange.calibration[seed]], target)
            scores = _score(opened(target, threads=threads), inputs[exchange.scored(seed)])
            exchange.write_scores(name, seed, scores)


def _write_float(exchange: Exchange) -> Path:
    """Write the float model for each runtime, and return the ONNX file."""
    source = exchange.folder / "float.onnx"
    onnx.save(build_onnx(exchange.graph), source)
    openvino.save_model(
        openvino.convert_model(source), source.with_suffix(".xml"), compress_to_fp16=False
    )
    # Of pnnx's wheel only the program is of use: the module around it asks for PyTorch.
    spec = find_spec("pnnx")
    assert spec is not None
    assert spec.origin is not None
    command = [str(Path(spec.origin).with_name("pnnx")), source.name, "fp16=0"]
    subprocess.run(command, cwd=source.parent, check=True, stdout=subprocess.DEVNULL)
    return source


def _score(score: Scorer, inputs: Array) -> Array:
    batches: Iterable[Array] = inputs[:, np.newaxis]
    return np.stack([score(image) for image in batches])


def _check(name: str, scores: Array, exchange: Exchange) -> None:
    difference = np.abs(scores - exchange.reference[: len(scores)]).max()
    click.echo(f"{name} float32: largest difference from Keras {difference:.1e}")
    if not difference <= 1e-4:
        sys.exit(f"{name} does not compute the float model: {difference:.1e} is more than 1e-4")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
