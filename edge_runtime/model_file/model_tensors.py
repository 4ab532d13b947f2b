"""The input and the outputs of a classifier's file, as tensors of an interpreter."""

import threading
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import EdgeclfError, ScoresError
from ..images import RGBImage
from ..novelty.features import mean_features
from ..tflite.interpreter import Interpreter
from .spec import ModelSpec


class ModelTensors:
    """The image that goes into a model, its scores and its feature map.

    Several threads may share them: whoever asks the interpreter waits for its turn. Methods that
    compute from their arguments alone run beside an inference.

    Attributes:
        lock: held while the interpreter computes, or its tensors are read.
        has_features: whether the file gives its last feature map, as its second output.
    """

    def __init__(self, interpreter: Interpreter, spec: ModelSpec, *, name: str) -> None:
        """Find the tensors, and check that they are those of the file's spec.

        Args:
            interpreter: holds the model.
            spec: of the file.
            name: stands in the errors.

        Raises:
            EdgeclfError: the model has other tensors than the spec says.
        """
        classes = len(spec.network_labels)
        self.lock = threading.Lock()
        self._last_thread: int | None = None  # that has computed
        self._interpreter = interpreter
        self._name = name
        self._input = interpreter.get_input_details()[0]
        self._output, *further = interpreter.get_output_details()
        expected = (1, *spec.input_hw, 3)
        if tuple(self._input["shape"]) != expected or self._input["dtype"] != np.uint8:
            raise EdgeclfError(
                f"{name}: expected an input of uint8 {expected}, got "
                f"{np.dtype(self._input['dtype'])} {tuple(self._input['shape'])}; convert it again"
            )
        if self._output["shape"][-1] != classes:
            raise EdgeclfError(
                f"{name}: {self._output['shape'][-1]} outputs for {classes} labels; "
                "convert the model again"
            )
        self.has_features = bool(further)
        self._features = further[0] if further else self._output
        shape = (classes, *self._features["shape"][3:])
        if spec.heatmap is not None and spec.heatmap.class_weights().shape != shape:
            raise EdgeclfError(
                f"{name}: its weights for heatmaps do not fit its labels and its second output; "
                "convert the model again"
            )
        channels = self._features["shape"][-1] if further else 0
        if spec.novelty is not None and spec.novelty.channels != channels:
            raise EdgeclfError(
                f"{name}: what it knows of its training does not fit its second output; "
                "convert the model again"
            )

    def compute(
        self, model_input: RGBImage, *, with_features: bool = False
    ) -> tuple[NDArray[Any], NDArray[Any] | None, float]:
        """Compute an image.

        Returns:
            The scores as the file stores them, of shape (classes,), a copy of the last feature map,
            if it is asked for, and the seconds that the inference took.
        """
        with self.lock:
            self._last_thread = threading.get_ident()
            our_turn = time.perf_counter()
            self._interpreter.set_tensor(self._input["index"], model_input[np.newaxis])
            self._interpreter.invoke()
            output: NDArray[Any] = self._interpreter.get_tensor(self._output["index"])[0]
            seconds = time.perf_counter() - our_turn
            return output, self._read_features() if with_features else None, seconds

    def last_features(self) -> NDArray[Any]:
        """Return a copy of the last feature map of the image that this thread computed last.

        Raises:
            EdgeclfError: another thread has computed one since.
        """
        with self.lock:
            if self._last_thread != threading.get_ident():
                raise EdgeclfError(
                    f"{self._name}: the last image was not scored by this thread; "
                    "`classify(image, heatmap=True)` is safe on several threads"
                )
            return self._read_features()

    def _read_features(self) -> NDArray[Any]:
        features: NDArray[Any] = self._interpreter.get_tensor(self._features["index"])[0]
        return features

    def dequantize(self, output: NDArray[Any]) -> NDArray[np.float32]:
        """Return an output of `compute` as scores, float32 of shape (classes,), 0 to 1.

        Raises:
            ScoresError: they are not numbers.
            EdgeclfError: `output` is nothing that `compute` returns.
        """
        expected = tuple(self._output["shape"][1:]), self._output["dtype"]
        if not isinstance(output, np.ndarray) or (output.shape, output.dtype) != expected:
            raise EdgeclfError(f"an output {output!r:.80}: give what `infer` returns")
        if output.dtype == np.float32:
            if not np.isfinite(output).all():
                raise ScoresError(
                    f"{self._name}: it computes scores that are not numbers (NaN or infinite); "
                    "convert the model again"
                )
            return np.asarray(output, np.float32)
        scale, zero_point = self._output["quantization"]
        return np.asarray((output.astype(np.int32) - zero_point) * scale, np.float32)

    def mean_features(self, features: NDArray[Any]) -> NDArray[np.float32]:
        """Return the mean of each channel of a feature map, float32 (channels,)."""
        return mean_features(features, self._features["quantization"])

    @property
    def feature_scale(self) -> float:
        """What a step of the second output is worth; 1 of floats."""
        return float(self._features["quantization"][0]) or 1.0

    def activation_map(
        self, features: NDArray[Any], weights: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Return the class activation map of a class, float32 of shape (rows, columns).

        Args:
            features: the last feature map.
            weights: of the class, of shape (channels,).
        """
        zero_point = self._features["quantization"][1]
        steps = np.subtract(features, zero_point, dtype=np.float32)
        return np.asarray(steps @ weights * np.float32(self.feature_scale))
