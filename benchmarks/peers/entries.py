"""Who takes part: the same weights in every runtime, whole clients, and another network."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from edgeclf.benchmarks.peers.environment import peers_command
from edgeclf.benchmarks.peers.quantize.exchange import Exchange

REFERENCE = "edgeclf-int8"

# In the exchange's folder, where the models of another network lie.
YOLO_FOLDER = "yolo"

# MediaPipe sends its maker what it measures of its use, and has no switch against that.
NO_NETWORK = ("unshare", "--net", "--map-root-user")


@dataclass(frozen=True)
class Entry:
    """A model in a runtime.

    Attributes:
        title: how the table calls it.
        runtime: its name in `RUNTIMES`.
        file: the model, in the exchange's folder.
        most_threads: on how many it can run; None if the client may choose.
        reports: whether it reports to its maker, and so must be kept off the network.
        other: whether it is another network, which need not agree with the float model.
        drawn: whether its weights are random, so that its answers mean nothing.
    """

    title: str
    runtime: str
    file: str
    most_threads: int | None = None
    reports: bool = False
    other: bool = False
    drawn: bool = False

    def path(self, exchange: Exchange) -> Path:
        """Return where its model lies."""
        return exchange.folder / self.file

    def bytes(self, exchange: Exchange) -> int:
        """Return the size of its model, which OpenVINO and ncnn keep in two files."""
        path = self.path(exchange)
        files = [path] if path.suffix in {".tflite", ".onnx"} else [path, path.with_suffix(".bin")]
        return sum(file.stat().st_size for file in files)

    def command(self, python: Path, exchange: Exchange, *, threads: int) -> list[str]:
        """Return what starts its process."""
        folder = exchange.folder
        normalisation = (folder / YOLO_FOLDER if self.other else folder) / "normalisation.json"
        return [
            *(NO_NETWORK if self.reports else ()),
            *peers_command(
                python,
                "worker",
                self.runtime,
                self.path(exchange),
                folder / "inputs.npy",
                normalisation,
                str(threads),
            ),
        ]


# In the order of the table.
ENTRIES = {
    "tflite-float32": Entry("TFLite float32, as it comes", "tflite", "float.tflite"),
    "edgeclf-float32": Entry("edgeclf float32", "tflite", "seed0/edgeclf-float32.tflite"),
    "ort-float32": Entry("ONNX Runtime float32", "onnxruntime", "float.onnx"),
    "openvino-float32": Entry("OpenVINO float32", "openvino", "float.xml"),
    "ncnn-float32": Entry("ncnn float32", "ncnn", "float.ncnn.param"),
    "tflite-int8": Entry("TFLite int8, as it comes", "tflite", "seed0/tflite.tflite"),
    REFERENCE: Entry("edgeclf int8", "tflite", f"seed0/{REFERENCE}.tflite"),
    "litert-static": Entry("LiteRT Quantizer, static int8", "tflite", "seed0/litert-static.tflite"),
    "litert-dynamic": Entry(
        "LiteRT Quantizer, dynamic int8", "tflite", "seed0/litert-dynamic.tflite"
    ),
    "ort-s8s8": Entry("ONNX Runtime int8, S8S8", "onnxruntime", "seed0/ort-s8s8.onnx"),
    "ort-u8s8": Entry("ONNX Runtime int8, U8S8", "onnxruntime", "seed0/ort-u8s8.onnx"),
    "openvino-int8": Entry("NNCF int8 in OpenVINO", "openvino", "seed0/nncf.xml"),
    "edgeclf-client": Entry("edgeclf int8, whole client", "edgeclf", f"seed0/{REFERENCE}.tflite"),
    "mediapipe-client": Entry(
        "the same file, MediaPipe as client",
        "mediapipe",
        f"seed0/{REFERENCE}.tflite",
        most_threads=1,
        reports=True,
    ),
    **{
        f"yolo-{name}": Entry(f"YOLO26n-cls {title}", runtime, f"{YOLO_FOLDER}/{file}", other=True)
        for name, title, runtime, file in (
            ("ort-float32", "float32 in ONNX Runtime", "onnxruntime", "float.onnx"),
            ("openvino-float32", "float32 in OpenVINO", "openvino", "float.xml"),
            ("ort-s8s8", "int8 in ONNX Runtime, S8S8", "onnxruntime", "ort-s8s8.onnx"),
            ("ort-u8s8", "int8 in ONNX Runtime, U8S8", "onnxruntime", "ort-u8s8.onnx"),
            ("openvino-int8", "NNCF int8 in OpenVINO", "openvino", "nncf.xml"),
        )
    },
}

# Who cannot take part, and why.
ABSENT = {"ncnn int8": "its wheel has no ncnn2table and no ncnn2int8, which make it"}


def no_network_failure() -> str | None:
    """Return why processes cannot be kept off the network here; None if they can."""
    if shutil.which(NO_NETWORK[0]) is None:
        return "reports to its maker, and there is no `unshare` here to keep it off the network"
    done = subprocess.run([*NO_NETWORK, "true"], capture_output=True, text=True, check=False)
    if done.returncode:
        return f"reports to its maker, and cannot be kept off the network ({done.stderr.strip()})"
    return None
