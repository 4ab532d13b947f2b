"""A model file, ready to name what it sees."""

import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from .errors import EdgeclfError, ScoresError
from .images import RGBImage
from .model_file.container import read_model
from .model_file.self_test import SelfTestResult, run_self_test
from .model_file.spec import check_thresholds
from .novelty.features import mean_features
from .novelty.model import Novelty
from .prediction import UNKNOWN, FrameResult, Prediction, least_scores, name_best
from .preprocess import check_pixels, preprocess
from .tflite.interpreter import Runtime, default_threads, open_interpreter

_MOST_THREADS = 1024  # no machine has more to give to one image


class Classifier:
    """A .tflite model of `edgeclf convert` in the device runtime.

    Several threads may share one: their inferences take turns, since a TFLite interpreter computes
    one at a time; preprocessing runs side by side.

    Example:
        >>> classifier = Classifier("int8.tflite")
        >>> classifier.classify(read_image("photo.jpg")).label
        'scratch'
    """

    def __init__(
        self,
        path: str | PathLike[str],
        *,
        threads: int | None = None,
        thresholds: Mapping[str, float] | None = None,
        novelty_threshold: float | None = None,
        runtime: Runtime = "interpreter",
    ) -> None:
        """Load the model at `path`.

        Args:
            path: the .tflite file.
            threads: of one inference, 1 to 1024; None for the usable cores, 4 at most.
            thresholds: the least score by label, 0 to 1; goes before those of the file.
            novelty_threshold: the novelty above which an image is unknown, above 0; 1 for never,
                None for the file's own.
            runtime: what computes the model.

        Raises:
            EdgeclfError: the file is missing, damaged or not of `edgeclf convert`, the runtime
                refuses it, or `threads` or a threshold are not as above.
        """
        if threads is not None and not (isinstance(threads, int) and 1 <= threads <= _MOST_THREADS):
            raise EdgeclfError(
                f"threads {threads!r}: give 1 to {_MOST_THREADS}, or None for the usable cores, "
                "4 at most"
            )
        if novelty_threshold is not None and not 0 < novelty_threshold <= 1:
            raise EdgeclfError(
                f"a novelty threshold of {novelty_threshold!r}: give one above 0, 1 for never"
            )
        self._novelty_threshold = novelty_threshold
        self.path = Path(path)
        data, self.spec = read_model(self.path)
        self.thresholds = dict(self.spec.thresholds or {}) | dict(thresholds or {})
        check_thresholds(self.thresholds, self.spec.labels)
        self.notices: list[str] = []
        self.interpreter = open_interpreter(
            data,
            name=str(path),
            threads=threads or default_threads(),
            notices=self.notices,
            runtime=runtime,
        )
        self._lock = threading.Lock()  # around the tensors: set, invoke, get
        self._last_thread: int | None = None  # that has invoked
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
        self._features = further[0] if further else self._output
        if self.spec.heatmap is not None:
            self._class_weights = self.spec.heatmap.class_weights()
            channels = self._features["shape"][3:]
            if self._class_weights.shape != (len(self.spec.labels), *channels):
                raise EdgeclfError(
                    f"{path}: its weights for heatmaps do not fit its labels and its second "
                    "output; convert the model again"
                )
        novelty = self.spec.novelty
        if novelty is not None and (not further or novelty.channels != self._features["shape"][-1]):
            raise EdgeclfError(
                f"{path}: what it knows of its training does not fit its second output; convert "
                "the model again"
            )

    def preprocess(self, rgb: RGBImage) -> RGBImage:
        """Return `rgb` as the model's input, uint8 of shape (height, width, 3).

        Args:
            rgb: RGB uint8 of shape (height, width, 3), of any size but empty.

        Raises:
            EdgeclfError: `rgb` is anything else.
        """
        check_pixels(rgb)
        return preprocess(rgb, size_hw=self.spec.input_hw, rule=self.spec.resize)

    def scores(self, model_input: RGBImage) -> NDArray[np.float32]:
        """Return the score of each class, float32 of shape (classes,), 0 to 1.

        Args:
            model_input: what `preprocess` returns.
        """
        return self.dequantize(self.infer(model_input))

    def infer(self, model_input: RGBImage) -> NDArray[Any]:
        """Return the model's output as it comes, of shape (classes,) and its own type.

        Args:
            model_input: what `preprocess` returns.

        Raises:
            EdgeclfError: it has another shape or type.
        """
        check_pixels(model_input)
        if model_input.shape[:2] != self.spec.input_hw:
            height, width = self.spec.input_hw
            raise EdgeclfError(
                f"an input of shape {model_input.shape} for a model of ({height}, {width}, 3); "
                "give what `preprocess` returns"
            )
        with self._lock:
            return self._invoke(model_input)

    def observe(self, model_input: RGBImage) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return the scores of an image and its features, the mean of the last feature map.

        Args:
            model_input: what `preprocess` returns.

        Returns:
            float32 of shape (classes,), and of shape (channels,).

        Raises:
            EdgeclfError: the file does not give its features.
        """
        if self._features is self._output:
            raise EdgeclfError(
                f"{self.path}: it gives no features; convert the model again, with --novelty"
            )
        with self._lock:
            output = self._invoke(model_input)
            features = self._feature_map()
        return self.dequantize(output), mean_features(features, self._features["quantization"])

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
        """Return where the class `index` stands in the image that this thread scored last.

        The map is a small matrix product on the features of that inference; nothing is computed
        twice. Its mean plus the class's bias is the class's logit, up to quantization: positive
        places speak for the class, negative ones against it (Zhou et al. 2016,
        https://arxiv.org/abs/1512.04150).

        Args:
            index: of the class among the labels.

        Returns:
            float32 of the size of the last feature map, DenseNet's (height / 32, width / 32). The
            places divide the model's input evenly.

        Raises:
            EdgeclfError: the file has no feature map among its outputs, or another thread has
                scored an image since.
        """
        self._check_heatmap()
        with self._lock:
            if self._last_thread != threading.get_ident():
                raise EdgeclfError(
                    f"{self.path}: the last image was not scored by this thread; "
                    "`classify(image, heatmap=True)` is safe on several threads"
                )
            features = self._feature_map()
        return self._activation_map(features, index)

    def classify(
        self, rgb: RGBImage, *, top: int = 3, threshold: float = 0.0, heatmap: bool = False
    ) -> Prediction:
        """Classify an image.

        Args:
            rgb: RGB uint8 of shape (height, width, 3), of any size but empty.
            top: number of classes that the prediction lists, 1 or more.
            threshold: the least score, 0 to 1, of a class that has no threshold of its own.
            heatmap: whether to make a heatmap of the label, or of the best class for `unknown`.

        Raises:
            EdgeclfError: an argument is not as above, or the file cannot make heatmaps.
        """
        return self._classify(
            rgb, is_bgr=False, top=top, threshold=threshold, heatmap=heatmap
        ).prediction

    def classify_batch(
        self, images: Iterable[RGBImage], *, top: int = 3, threshold: float = 0.0
    ) -> list[Prediction]:
        """Classify images one after another, and return their predictions in the same order.

        The files of `edgeclf convert` take one image an inference, so this is a loop over
        `classify`: as fast, not faster. `images` may be a generator: one image at a time is held.

        Args:
            images: as `classify` takes them; their sizes may differ.
            top: as of `classify`.
            threshold: as of `classify`.

        Raises:
            EdgeclfError: an image is not as `classify` takes it; its place in the batch is named.
        """
        predictions = []
        for place, rgb in enumerate(images):
            try:
                predictions.append(self.classify(rgb, top=top, threshold=threshold))
            except EdgeclfError as error:
                raise EdgeclfError(f"image {place} of the batch: {error}") from None
        return predictions

    def classify_frame(
        self,
        bgr: NDArray[np.uint8],
        *,
        top: int = 3,
        threshold: float = 0.0,
        heatmap: bool = False,
    ) -> FrameResult:
        """Classify a frame as OpenCV gives it, and time the steps.

        Args:
            bgr: BGR uint8 of shape (height, width, 3), of any size but empty.
            top: as of `classify`, as all that follows.
            threshold: the same.
            heatmap: the same.
        """
        return self._classify(bgr, is_bgr=True, top=top, threshold=threshold, heatmap=heatmap)

    def self_test(self) -> SelfTestResult:
        """Compute the outputs again that the file carries, and compare.

        Raises:
            EdgeclfError: it carries none.
        """
        if self.spec.self_test is None:
            raise EdgeclfError(f"{self.path}: it carries no self-test; convert the model again")
        with self._lock:
            return run_self_test(self.interpreter, self.spec.self_test)

    def _classify(
        self, pixels: RGBImage, *, is_bgr: bool, top: int, threshold: float, heatmap: bool
    ) -> FrameResult:
        _check_choices(top, threshold)
        if heatmap:
            self._check_heatmap()
        start = time.perf_counter()
        model_input = self.preprocess(pixels)
        if is_bgr:  # each channel is preprocessed alone, so the small image can be turned around
            model_input = np.asarray(cv2.cvtColor(model_input, cv2.COLOR_BGR2RGB), np.uint8)
        preprocessed = time.perf_counter()
        with self._lock:
            our_turn = time.perf_counter()
            output = self._invoke(model_input)
            invoked = time.perf_counter()
            features = self._feature_map() if heatmap or self.spec.novelty else None
        scores = self.dequantize(output)
        novelty = self._judge(features, scores)
        steps = {"preprocess": preprocessed - start, "invoke": invoked - our_turn}
        ms = sum(steps.values()) * 1000
        least = least_scores(self.spec.labels, self.thresholds, threshold)
        prediction = name_best(
            scores, labels=self.spec.labels, least=least, top=top, ms=ms, novelty=novelty
        )
        if heatmap and features is not None:
            shown = prediction.top[0][0] if prediction.label == UNKNOWN else prediction.label
            heatmap_of_it = self._activation_map(features, self.spec.labels.index(shown))
            prediction = replace(prediction, heatmap=heatmap_of_it)
        steps["postprocess"] = time.perf_counter() - invoked
        steps_ms = {step: seconds * 1000 for step, seconds in steps.items()}
        return FrameResult(prediction, scores, steps_ms, novelty)

    def _invoke(self, model_input: RGBImage) -> NDArray[Any]:
        """Return the model's output; whoever calls holds the lock."""
        self._last_thread = threading.get_ident()
        self.interpreter.set_tensor(self._input["index"], model_input[np.newaxis])
        self.interpreter.invoke()
        output: NDArray[Any] = self.interpreter.get_tensor(self._output["index"])[0]
        return output

    def _feature_map(self) -> NDArray[Any]:
        """Return a copy of the last feature map; whoever calls holds the lock."""
        features: NDArray[Any] = self.interpreter.get_tensor(self._features["index"])[0]
        return features

    def _judge(self, features: NDArray[Any] | None, scores: NDArray[np.float32]) -> Novelty | None:
        if features is None or self.spec.novelty is None:
            return None
        mean = mean_features(features, self._features["quantization"])
        return self.spec.novelty.judge(mean, scores, threshold=self._novelty_threshold)

    def _activation_map(self, features: NDArray[Any], index: int) -> NDArray[np.float32]:
        scale, zero_point = self._features["quantization"]
        steps = np.subtract(features, zero_point, dtype=np.float32)
        unit = np.float32(scale or 1.0)  # float maps have none
        return np.asarray(steps @ self._class_weights[index] * unit)

    def _check_heatmap(self) -> None:
        if self.spec.heatmap is None:
            raise EdgeclfError(
                f"{self.path}: it makes no heatmaps; convert the model with --heatmap"
            )


def _check_choices(top: int, threshold: float) -> None:
    if not isinstance(top, int) or top < 1:
        raise EdgeclfError(f"top {top!r}: give the number of classes to list, 1 or more")
    if not 0 <= threshold <= 1:
        raise EdgeclfError(f"threshold {threshold!r}: give a score from 0 to 1")
