"""Ultralytics' exported model, for OpenVINO and in int8, by the same functions as ours.

Runs in the peers' environment; `yolo.py` starts it.
"""

import sys
from dataclasses import asdict
from pathlib import Path

import click
import openvino  # type: ignore[import-not-found]

from edgeclf.benchmarks.peers.entries import YOLO_FOLDER
from edgeclf.benchmarks.peers.quantize.exchange import Exchange
from edgeclf.benchmarks.peers.quantize.theirs import (
    inputs_of,
    quantize_nncf,
    quantize_onnxruntime,
)
from edgeclf.benchmarks.peers.runtimes import Normalisation
from edgeclf.edge_runtime.files import write_json

_NORMALISATION = Normalisation((1 / 255,) * 3, (0.0,) * 3)


def main(exchange: Exchange) -> None:
    """Write the model's other files beside it; the images of the first seed calibrate."""
    folder = exchange.folder / YOLO_FOLDER
    source = folder / "float.onnx"
    write_json(folder / "normalisation.json", asdict(_NORMALISATION))
    openvino.save_model(
        openvino.convert_model(source), source.with_suffix(".xml"), compress_to_fp16=False
    )
    calibration = list(inputs_of(exchange, _NORMALISATION)[exchange.calibration[0]])
    click.echo("quantizing Ultralytics' model")
    quantize_onnxruntime("QInt8")(source, calibration, folder / "ort-s8s8.onnx")
    quantize_onnxruntime("QUInt8")(source, calibration, folder / "ort-u8s8.onnx")
    quantize_nncf(source, calibration, folder / "nncf.xml")


if __name__ == "__main__":
    main(Exchange(Path(sys.argv[1])))
