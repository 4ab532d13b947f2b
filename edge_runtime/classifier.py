"""A model file, ready to name what it sees."""

import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import EdgeclfError, ScoresError
from .images import RGBImage
from .interpreter import Runtime, default_threads, open_interpreter
from .model_file.container import read_model
from .model_file.self_test import SelfTestResult, run_self_test
from .preprocess import preprocess

UNKNOWN = "unknown"


@dataclass(frozen=True)
class Prediction:
    """What the model says of one image.

    Attributes:
        label: the best of the classes that reach their thresholds, or `unknown` if none does.
        score: its score, 0 to 1; the highest for `unknown`.
        top: the best classes with their scores, best first.
        ms: preprocessing and inference, in milliseconds.
        heatmap: where that class was seen, as `class_activation_map` returns it; None unless
            asked for.
    """

    label: str
    score: float
    top: tuple[tuple[str, float], ...]
    ms: float
    heatmap: NDArray[np.float32] | None = field(default=None, compare=False)


class Classifier:
    """A .tflite model of `edgeclf convert` in the device runtime.

    Example:
        >>> classifier = Classifier(Path("int8.tflite"))
        >>> classifier.classify(read_image(Path("photo.jpg"))).label
        'scratch'
    """

    def __init__(
        self, path: Path, *, threads: int | None = None, runtime: Runtime = "interpreter"
    ) -> None:
        """Load the model at `path`, to run on `threads` threads (the cores, 4 at most)."""
        self.path = path
        data, self.spec = read_model(path)
        self.notices: list[str] = []
        self.interpreter = open_interpreter(
            data,
            name=str(path),
            threads=threads or default_threads(),
            notices=self.notices,
            runtime=runtime,
        )
        self._input = self.interpreter.get_input_details()[0]
        self._output, *further = self.interpreter.get_output_details()
        expected = (1, *self.spec.input_hw, 3)
        if tuple(self._input["shape"]) != expected or self._input["dtype"] != np.uint8:
            raise EdgeclfError(
                f"{path}: expected an input of uint8 {expected}, got "
                f"{np.dtype(self._input['dtype'])} {tuple(self._input['shape'])}; convert it again"
            )
        if self._output["shape"][-1] != len(self.spec.labels):
            raise EdgeclfError(
                f"{path}: {self._output['shape'][-1]} outputs for {len(self.spec.labels)} labels; "
                "convert the model again"
            )
        if self.spec.heatmap is not None:
            self._class_weights = self.spec.heatmap.class_weights()
            self._features = further[0] if further else self._output
            channels = self._features["shape"][3:]
            if self._class_weights.shape != (len(self.spec.labels), *channels):
                raise EdgeclfError(
                    f"{path}: its weights for heatmaps do not fit its labels and its second "
                    "output; convert the model again"
                )

    def preprocess(self, rgb: RGBImage) -> RGBImage:
        """Return `rgb` (any size) as the model's input, uint8 of shape (height, width, 3)."""
        return preprocess(rgb, size_hw=self.spec.input_hw, rule=self.spec.resize)

    def scores(self, model_input: RGBImage) -> NDArray[np.float32]:
        """Return the score of each class, float32 of shape (classes,), 0 to 1.

        Args:
            model_input: what `preprocess` returns.
        """
        return self.dequantize(self.infer(model_input))

    def infer(self, model_input: RGBImage) -> NDArray[Any]:
        """Return the model's output as it comes, of shape (classes,) and its own type."""
        self.interpreter.set_tensor(self._input["index"], model_input[np.newaxis])
        self.interpreter.invoke()
        output: NDArray[Any] = self.interpreter.get_tensor(self._output["index"])[0]
        return output

    def dequantize(self, output: NDArray[Any]) -> NDArray[np.float32]:
        """Return what `infer` returned as scores, float32 of shape (classes,), 0 to 1.

        Raises:
            ScoresError: they are not numbers.
        """
        if output.dtype == np.float32:
            if not np.isfinite(output).all():
                raise ScoresError(
                    f"{self.path}: it computes scores that are not numbers (NaN or infinite); "
                    "convert the model again"
                )
            return np.asarray(output, np.float32)
        scale, zero_point = self._output["quantization"]
        return np.asarray((output.astype(np.int32) - zero_point) * scale, np.float32)

    def class_activation_map(self, index: int) -> NDArray[np.float32]:
        """Return where the class `index` stands in the image that was scored last.

        The map is a small matrix product on what that inference left; nothing is computed twice.
        Its mean plus the class's bias is the class's logit, up to quantization: positive places
        speak for the class, negative ones against it (Zhou et al. 2016,
        https://arxiv.org/abs/1512.04150).

        Args:
            index: of the class among the labels.

        Returns:
            float32 of the size of the last feature map, DenseNet's (height / 32, width / 32). The
            places divide the model's input evenly.

        Raises:
            EdgeclfError: the file has no feature map among its outputs.
        """
        self._check_heatmap()
        features = self.interpreter.get_tensor(self._features["index"])[0]
        scale, zero_point = self._features["quantization"]
        steps = np.subtract(features, zero_point, dtype=np.float32)
        unit = np.float32(scale or 1.0)  # float maps have none
        return np.asarray(steps @ self._class_weights[index] * unit)

    def classify(
        self, rgb: RGBImage, *, top: int = 3, threshold: float = 0.0, heatmap: bool = False
    ) -> Prediction:
        """Classify an RGB uint8 image of shape (height, width, 3) of any size.

        Args:
            rgb: the image.
            top: how many classes the prediction lists.
            threshold: the score from which a class is believed that has no threshold in the spec.
            heatmap: whether the prediction tells where its class was seen.

        Raises:
            EdgeclfError: a heatmap is asked of a file that cannot make one.
        """
        if heatmap:
            self._check_heatmap()
        start = time.perf_counter()
        scores = self.scores(self.preprocess(rgb))
        ms = (time.perf_counter() - start) * 1000
        prediction = self.name_best(scores, top=top, threshold=threshold, ms=ms)
        if heatmap:
            is_known = prediction.label in self.spec.labels
            index = self.spec.labels.index(prediction.label) if is_known else int(scores.argmax())
            prediction = replace(prediction, heatmap=self.class_activation_map(index))
        return prediction

    def name_best(
        self, scores: NDArray[np.float32], *, top: int, threshold: float, ms: float
    ) -> Prediction:
        """Return the prediction that `scores` of shape (classes,) make; `ms` is what they took."""
        best_first = np.argsort(-scores, kind="stable")[:top]
        best = tuple((self.spec.labels[i], float(scores[i])) for i in best_first)
        own = self.spec.thresholds
        least = [own.get(label, threshold) for label in self.spec.labels] if own else threshold
        sure = scores >= np.asarray(least)
        index = int(np.where(sure, scores, scores - 2).argmax())
        label = self.spec.labels[index] if sure[index] else UNKNOWN
        return Prediction(label=label, score=float(scores[index]), top=best, ms=ms)

    def self_test(self) -> SelfTestResult:
        """Compute the outputs again that the file carries, and compare.

        Raises:
            EdgeclfError: it carries none.
        """
        if self.spec.self_test is None:
            raise EdgeclfError(f"{self.path}: it carries no self-test; convert the model again")
        return run_self_test(self.interpreter, self.spec.self_test)

    def _check_heatmap(self) -> None:
        if self.spec.heatmap is None:
            raise EdgeclfError(
                f"{self.path}: it makes no heatmaps; convert the model with --heatmap"
            )
