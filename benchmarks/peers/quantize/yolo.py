"""Ultralytics' smallest classifier as an ONNX file: what users would pick instead of ours.

It is under the AGPL. So it lives in an environment of its own, nothing here imports it, and its
command line alone is run, off the network.
"""

import os
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from urllib.request import urlopen

import click

from edgeclf.benchmarks.peers.entries import NO_NETWORK, YOLO_FOLDER, no_network_failure
from edgeclf.benchmarks.peers.environment import run_there, yolo_python
from edgeclf.benchmarks.peers.quantize.exchange import Exchange
from edgeclf.edge_runtime.errors import EdgeclfError
from edgeclf.edge_runtime.files import sha256_of, write_bytes

MODEL = "yolo26n-cls"

_SIZE = 224
_WEIGHTS_URL = f"https://github.com/ultralytics/assets/releases/download/v8.4.0/{MODEL}.pt"
_PATIENCE_S = 20.0


@dataclass(frozen=True)
class Yolo:
    """What came of the export.

    Attributes:
        path: the ONNX model, float32 RGB 0..1 of (1, 3, 224, 224) in, 1000 scores out.
        drawn: whether its weights are random, for its own could not be had: good for times alone.
    """

    path: Path
    drawn: bool


def add_yolo(python: Path, exchange: Exchange, *, work: Path) -> Yolo:
    """Return Ultralytics' model, which is left in the exchange's folder in float32 and int8.

    Args:
        python: of the peers' environment.
        exchange: whose images calibrate.
        work: the folder below which its environment and export are kept.

    Raises:
        EdgeclfError: it cannot be installed, kept off the network, exported or quantized.
    """
    yolo = export_yolo(work / "yolo")
    source = sha256_of(yolo.path)
    if not exchange.is_made(YOLO_FOLDER, source):
        write_bytes(exchange.folder / YOLO_FOLDER / "float.onnx", yolo.path.read_bytes())
        run_there(python, "quantize.yolo_int8", exchange.folder)
        exchange.note_made(YOLO_FOLDER, source)
    return yolo


def export_yolo(folder: Path) -> Yolo:
    """Export the model into `folder`, with its own weights if they can be had.

    Raises:
        EdgeclfError: it cannot be installed, kept off the network or exported.
    """
    if failure := no_network_failure():
        raise EdgeclfError(failure)
    weights = folder / f"{MODEL}.pt"
    if not weights.exists():
        _fetch(weights)
    drawn = not weights.exists()
    path = folder / ("drawn" if drawn else "own") / f"{MODEL}.onnx"
    if not path.exists():
        python = yolo_python(folder)
        path.parent.mkdir(parents=True, exist_ok=True)
        click.echo(f"Exporting {MODEL}{', with drawn weights' if drawn else ''}")
        _export(python, f"{MODEL}.yaml" if drawn else weights, folder=path.parent)
        if not drawn:
            weights.with_suffix(".onnx").replace(path)
    return Yolo(path, drawn)


def _fetch(weights: Path) -> None:
    """Fetch the weights; what cannot be had is not missed."""
    with suppress(OSError, HTTPException), urlopen(_WEIGHTS_URL, timeout=_PATIENCE_S) as answer:
        write_bytes(weights, answer.read())


def _export(python: Path, model: str | Path, *, folder: Path) -> None:
    """Have the model written to `folder`, or beside its weights."""
    command = [*NO_NETWORK, str(python.with_name("yolo")), "export", f"model={model}"]
    options = ["format=onnx", f"imgsz={_SIZE}", "device=cpu"]
    # It reports what it is used for and installs what it misses, unless told not to.
    silent = {"YOLO_OFFLINE": "true", "YOLO_AUTOINSTALL": "false", "YOLO_CONFIG_DIR": str(folder)}
    done = subprocess.run(
        [*command, *options],
        cwd=folder,
        env=os.environ | silent,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
        raise EdgeclfError(f"{MODEL}: cannot be exported ({''.join(last)})")
