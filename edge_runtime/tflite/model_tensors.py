"""The input and the outputs of a classifier's file, as tensors of an interpreter."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import EdgeclfError, ScoresError
from ..heatmap import HeatmapHead
from ..images import RGBImage
from .interpreter import Interpreter


class ModelTensors:
    """The image that goes into a model, its scores and its feature map.

    `invoke` and `features` read what the interpreter computed last; the other methods compute from
    their arguments alone, and so may run beside an inference.
    """

    def __init__(
        self,
        interpreter: Interpreter,
        *,
        name: str,
        input_hw: tuple[int, int],
        classes: int,
        heatmap: HeatmapHead | None,
    ) -> None:
        """Find the tensors, and check that they are those of the file's spec.

        Args:
            interpreter: holds the model.
            name: stands in the errors.
            input_hw: height and width of the model's input.
            classes: number of labels.
            heatmap: the head of a model whose second output is its last feature map.

        Raises:
            EdgeclfError: the model has other tensors than these.
        """
        self._interpreter = interpreter
        self._name = name
        self._input = interpreter.get_input_details()[0]
        self._output, *further = interpreter.get_output_details()
        expected = (1, *input_hw, 3)
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
        if heatmap is not None:
            self._class_weights = heatmap.class_weights()
            self._features = further[0] if further else self._output
            if self._class_weights.shape != (classes, *self._features["shape"][3:]):
                raise EdgeclfError(
                    f"{name}: its weights for heatmaps do not fit its labels and its second "
                    "output; convert the model again"
                )

    def invoke(self, model_input: RGBImage) -> NDArray[Any]:
        """Compute, and return the scores as the file stores them, of shape (classes,)."""
        self._interpreter.set_tensor(self._input["index"], model_input[np.newaxis])
        self._interpreter.invoke()
        output: NDArray[Any] = self._interpreter.get_tensor(self._output["index"])[0]
        return output

    def features(self) -> NDArray[Any]:
        """Return a copy of the last feature map, as the file stores it."""
        features: NDArray[Any] = self._interpreter.get_tensor(self._features["index"])[0]
        return features

    def dequantize(self, output: NDArray[Any]) -> NDArray[np.float32]:
        """Return what `invoke` returned as scores, float32 of shape (classes,), 0 to 1.

        Raises:
            ScoresError: they are not numbers.
            EdgeclfError: `output` is nothing that `invoke` returns.
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

    def activation_map(self, features: NDArray[Any], index: int) -> NDArray[np.float32]:
        """Return the class activation map of the class `index`, float32 of shape (rows, columns).

        Args:
            features: what `features` returned.
            index: of the class among the labels.
        """
        scale, zero_point = self._features["quantization"]
        steps = np.subtract(features, zero_point, dtype=np.float32)
        unit = np.float32(scale or 1.0)  # float maps have none
        return np.asarray(steps @ self._class_weights[index] * unit)
