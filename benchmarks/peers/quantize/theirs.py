"""The peers' side: quantize and score as each of them recommends.

Runs in the peers' environment; `preparation.py` starts it.
"""

import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click
import nncf  # type: ignore[import-not-found]
import numpy as np
import onnx  # type: ignore[import-not-found]
import openvino  # type: ignore[import-not-found]
from ai_edge_litert.interpreter import Interpreter
from litert_quantizer import quantizer, recipe  # type: ignore[import-not-found]
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
from edgeclf.benchmarks.peers.runtimes import RUNTIMES, Normalisation
from edgeclf.edge_runtime.files import write_json
from edgeclf.edge_runtime.tflite.interpreter import default_threads

Array = NDArray[np.float32]

# From a float model and images as its runtime takes them, to a quantized model.
Quantize = Callable[[Path, Sequence[NDArray[Any]], Path], None]

_CHECKED_IMAGES = 32


def quantize_onnxruntime(activations: str) -> Quantize:
    """Static, QDQ, MinMax, weights per channel.

    https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html
    """

    def quantize(source: Path, calibration: Sequence[Array], target: Path) -> None:
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


def quantize_nncf(source: Path, calibration: Sequence[Array], target: Path) -> None:
    """Mixed preset, with the default bias correction: the full one takes ten times as long.

    https://docs.openvino.ai/2026/openvino-workflow/model-optimization-guide/quantizing-models-post-training/basic-quantization-flow.html
    """
    quantized = nncf.quantize(
        openvino.convert_model(source),
        nncf.Dataset(list(calibration)),
        preset=nncf.QuantizationPreset.MIXED,
        subset_size=len(calibration),
    )
    openvino.save_model(quantized, target, compress_to_fp16=False)


class _Reader(CalibrationDataReader):  # type: ignore[misc]
    def __init__(self, images: Sequence[Array], name: str) -> None:
        self._feeds: Iterator[dict[str, Any]] = iter([{name: image} for image in images])

    def get_next(self) -> dict[str, Any] | None:
        return next(self._feeds, None)


def _quantize_litert(name: str) -> Quantize:
    """By one of its recipes, as it stands.

    https://github.com/google-ai-edge/LiteRT/tree/main/litert_quantizer recommends the dynamic one
    for CPUs, where activations are quantized while it runs, and the static one for NPUs.
    """

    def quantize(source: Path, calibration: Sequence[NDArray[np.uint8]], target: Path) -> None:
        tool = quantizer.Quantizer(source, getattr(recipe, name)())
        ranges = None
        if tool.need_calibration:
            [(signature, tensors)] = Interpreter(str(source)).get_signature_list().items()
            [pixels] = tensors["inputs"]
            feeds = [{pixels: image[np.newaxis].astype(np.float32)} for image in calibration]
            ranges = tool.calibrate({signature: feeds}, num_threads=default_threads())
        tool.quantize(ranges, enable_progress_report=False).export_model(target, overwrite=True)

    return quantize


@dataclass(frozen=True)
class Peer:
    """Who quantizes the float model.

    Attributes:
        quantize: how.
        runtime: what runs the result, by its name in `RUNTIMES`.
        file: the result.
        source: the float model.
    """

    quantize: Quantize
    runtime: str
    file: str
    source: str = "float.onnx"


PEERS = {
    "litert-static": Peer(
        _quantize_litert("static_wi8_ai8"), "tflite", "litert-static.tflite", "float.tflite"
    ),
    "litert-dynamic": Peer(
        _quantize_litert("dynamic_wi8_afp32"), "tflite", "litert-dynamic.tflite", "float.tflite"
    ),
    "ort-s8s8": Peer(quantize_onnxruntime("QInt8"), "onnxruntime", "ort-s8s8.onnx"),
    "ort-u8s8": Peer(quantize_onnxruntime("QUInt8"), "onnxruntime", "ort-u8s8.onnx"),
    "nncf": Peer(quantize_nncf, "openvino", "nncf.xml"),
}


# The float model's files, and the runtime of each.
FLOAT = {
    "float.tflite": "tflite",
    "float.onnx": "onnxruntime",
    "float.xml": "openvino",
    "float.ncnn.param": "ncnn",
}


def main(folder: Path, threads: int) -> None:
    """Score every peer for every seed, and keep what has been scored before."""
    exchange = Exchange(folder)
    _write_float(exchange)
    affine = normalisation(exchange.graph)
    normalise = Normalisation(tuple(affine.scale.tolist()), tuple(affine.shift.tolist()))
    write_json(folder / "normalisation.json", asdict(normalise))
    normalised = inputs_of(exchange, normalise)
    for file, runtime in FLOAT.items():
        inputs = normalised if RUNTIMES[runtime].normalised else exchange.inputs
        _check(file, _score(runtime, folder / file, inputs[:_CHECKED_IMAGES], threads), exchange)
    for seed in exchange.seeds:
        for name, peer in PEERS.items():
            if exchange.has_scores(name, seed):
                continue
            click.echo(f"seed {seed}: quantizing {name}")
            target = exchange.model(peer.file, seed)
            target.parent.mkdir(exist_ok=True)
            inputs = normalised if RUNTIMES[peer.runtime].normalised else exchange.inputs
            calibration = list(inputs[exchange.calibration[seed]])
            peer.quantize(folder / peer.source, calibration, target)
            scores = _score(peer.runtime, target, inputs[exchange.scored(seed)], threads)
            exchange.write_scores(name, seed, scores)


def inputs_of(exchange: Exchange, normalise: Normalisation) -> Array:
    """Return the images one by one, normalised: float32 (images, 1, 3, height, width)."""
    return normalise(exchange.inputs)[:, np.newaxis]


def _write_float(exchange: Exchange) -> None:
    """Write the float model for each runtime but TFLite."""
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


def _score(runtime: str, path: Path, inputs: NDArray[Any], threads: int) -> Array:
    score = RUNTIMES[runtime].open(path, threads=threads)
    return np.stack([score(image) for image in inputs])


def _check(name: str, scores: Array, exchange: Exchange) -> None:
    difference = np.abs(scores - exchange.reference[: len(scores)]).max()
    click.echo(f"{name} float32: largest difference from Keras {difference:.1e}")
    if not difference <= 1e-4:
        sys.exit(f"{name} does not compute the float model: {difference:.1e} is more than 1e-4")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
