"""How a model is opened and asked in each runtime; each is imported only where it is used."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeclf.edge_runtime.classifier import Classifier
from edgeclf.edge_runtime.tflite.interpreter import open_interpreter

Scores = NDArray[np.float32]


@dataclass(frozen=True)
class Normalisation:
    """What the peers' models expect of the pixels, and leave to the client.

    Attributes:
        scale: of each channel.
        shift: of each channel, added after scaling.
    """

    scale: tuple[float, ...]
    shift: tuple[float, ...]

    def __call__(self, images: NDArray[np.uint8]) -> Scores:
        """Return float32 (images, 3, height, width) for RGB uint8 (images, height, width, 3)."""
        scale, shift = np.asarray(self.scale, "f4"), np.asarray(self.shift, "f4")
        values = images.astype(np.float32) * scale + shift
        return np.ascontiguousarray(values.transpose(0, 3, 1, 2))


@dataclass(frozen=True)
class Runtime:
    """What runs a model.

    Attributes:
        distribution: what is installed for it.
        open: returns what answers one input of the model at a path, on that many threads: with the
            scores of all classes, or with the best class.
        normalised: whether the input is normalised float32 (1, 3, height, width); else it is RGB
            uint8 (height, width, 3).
    """

    distribution: str
    open: Callable[..., Callable[[Any], Any]]
    normalised: bool = False

    @property
    def version(self) -> str:
        """The distribution with its version."""
        return f"{self.distribution} {version(self.distribution)}"


def open_tflite(path: Path, *, threads: int) -> Callable[[NDArray[np.uint8]], Scores]:
    """Return what scores one image with the plain .tflite file at `path` in the device runtime."""
    interpreter = open_interpreter(path.read_bytes(), name=str(path), threads=threads)
    source, target = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    scale, zero_point = target["quantization"]

    def score(image: NDArray[np.uint8]) -> Scores:
        interpreter.set_tensor(source["index"], image[np.newaxis].astype(source["dtype"]))
        interpreter.invoke()
        output = interpreter.get_tensor(target["index"])[0].astype(np.float32)
        return np.asarray((output - zero_point) * scale if scale else output, np.float32)

    return score


def open_onnxruntime(path: Path, *, threads: int) -> Callable[[Scores], Scores]:
    """Return what scores one normalised image with ONNX Runtime."""
    import onnxruntime  # type: ignore[import-not-found]

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda image: np.asarray(session.run(None, {name: image})[0][0])


def open_openvino(path: Path, *, threads: int) -> Callable[[Scores], Scores]:
    """Return what scores one normalised image with OpenVINO."""
    import openvino  # type: ignore[import-not-found]

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


def open_ncnn(path: Path, *, threads: int) -> Callable[[Scores], Scores]:
    """Return what scores one normalised image with ncnn; the weights lie beside the .param file."""
    import ncnn  # type: ignore[import-not-found]

    net = ncnn.Net()
    net.opt.num_threads = threads
    net.opt.use_vulkan_compute = False
    for half in ("fp16_packed", "fp16_storage", "fp16_arithmetic", "bf16_storage"):
        setattr(net.opt, f"use_{half}", False)  # float32, as the others
    for load, file in ((net.load_param, path), (net.load_model, path.with_suffix(".bin"))):
        if load(str(file)):
            raise RuntimeError(f"ncnn cannot load {file}")

    def score(image: Scores) -> Scores:
        extractor = net.create_extractor()
        extractor.input("in0", ncnn.Mat(image[0]))
        return np.array(extractor.extract("out0")[1])

    return score


def open_edgeclf(path: Path, *, threads: int) -> Callable[[NDArray[np.uint8]], int]:
    """Return what classifies a photograph with edgeclf: the whole client."""
    classifier = Classifier(path, threads=threads)
    index = {label: place for place, label in enumerate(classifier.spec.labels)}
    return lambda photograph: index[classifier.classify(photograph).top[0][0]]


def open_mediapipe(path: Path, *, threads: int) -> Callable[[NDArray[np.uint8]], int]:
    """Return what classifies a photograph with MediaPipe: the whole client.

    Its task has no setting for threads, and takes one on Linux.
    """
    assert threads == 1
    import mediapipe  # type: ignore[import-not-found]

    vision = mediapipe.tasks.vision
    classifier = vision.ImageClassifier.create_from_options(
        vision.ImageClassifierOptions(
            base_options=mediapipe.tasks.BaseOptions(model_asset_path=str(path)), max_results=3
        )
    )

    def classify(photograph: NDArray[np.uint8]) -> int:
        image = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=photograph)
        best = classifier.classify(image).classifications[0].categories[0]
        return int(best.index)

    return classify


RUNTIMES = {
    "tflite": Runtime("ai-edge-litert", open_tflite),
    "edgeclf": Runtime("edgeclf", open_edgeclf),
    "onnxruntime": Runtime("onnxruntime", open_onnxruntime, normalised=True),
    "openvino": Runtime("openvino", open_openvino, normalised=True),
    "ncnn": Runtime("ncnn", open_ncnn, normalised=True),
    "mediapipe": Runtime("mediapipe", open_mediapipe),
}
