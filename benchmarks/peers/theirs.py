"""The rivals' side: quantize and score as each of them recommends.

Runs in the rivals' environment; `accuracy.py` starts it.
"""

import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import click
import nncf  # type: ignore[import-not-found]
import numpy as np
import onnx  # type: ignore[import-not-found]
import onnxruntime  # type: ignore[import-not-found]
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

from edgeclf.benchmarks.rivals.exchange import Exchange
from edgeclf.benchmarks.rivals.onnx_graph import build_onnx, normalisation
from edgeclf.convert.graph import Graph

Array = NDArray[np.float32]
Scorer = Callable[[Array], Array]

_CHECKED_IMAGES = 32


def normalise(graph: Graph, images: NDArray[np.uint8]) -> Array:
    """Return what the rivals' models take: float32 of shape (images, 3, height, width)."""
    affine = normalisation(graph)
    values = images.astype(np.float32) * affine.scale + affine.shift
    return np.ascontiguousarray(values.transpose(0, 3, 1, 2), np.float32)


def open_onnxruntime(path: Path, *, threads: int) -> Scorer:
    """Return what scores one normalised image (1, 3, height, width) with ONNX Runtime."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda image: np.asarray(session.run(None, {name: image})[0][0])


def open_openvino(path: Path, *, threads: int) -> Scorer:
    """Return what scores one normalised image (1, 3, height, width) with OpenVINO."""
    compiled = openvino.Core().compile_model(
        path,
        "CPU",
        {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": threads,
            "INFERENCE_PRECISION_HINT": "f32",  # of what is not int8; not bfloat16
        },
    )
    request = compiled.create_infer_request()
    return lambda image: np.array(request.infer({0: image}, share_inputs=True)[0][0])


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
RIVALS: dict[str, tuple[Callable[[Path, Array, Path], None], Callable[..., Scorer], str]] = {
    "ort-s8s8": (_quantize_onnxruntime("QInt8"), open_onnxruntime, "ort-s8s8.onnx"),
    "ort-u8s8": (_quantize_onnxruntime("QUInt8"), open_onnxruntime, "ort-u8s8.onnx"),
    "nncf": (_quantize_nncf, open_openvino, "nncf.xml"),
}


def main(folder: Path, threads: int) -> None:
    """Score every rival for every seed, and keep what has been scored before."""
    exchange = Exchange(folder)
    source = folder / "float.onnx"
    onnx.save(build_onnx(exchange.graph), source)
    inputs = normalise(exchange.graph, exchange.inputs)
    for name, opened in (("ONNX Runtime", open_onnxruntime), ("OpenVINO", open_openvino)):
        _check(name, _score(opened(source, threads=threads), inputs[:_CHECKED_IMAGES]), exchange)
    for seed in exchange.seeds:
        for name, (quantize, opened, file) in RIVALS.items():
            if exchange.has_scores(name, seed):
                continue
            click.echo(f"seed {seed}: quantizing {name}")
            target = exchange.model(file, seed)
            target.parent.mkdir(exist_ok=True)
            quantize(source, inputs[exchange.calibration[seed]], target)
            scores = _score(opened(target, threads=threads), inputs[exchange.scored(seed)])
            exchange.write_scores(name, seed, scores)


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
