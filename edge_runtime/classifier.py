"""A model file, ready to name what it sees."""

import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from os import PathLike
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from .errors import EdgeclfError
from .images import BGRImage, RGBImage
from .knowledge import Knowledge
from .model_file.container import read_model
from .model_file.model_tensors import ModelTensors
from .model_file.self_test import SelfTestResult
from .model_file.spec import ModelSpec, check_thresholds
from .novelty.model import Novelty
from .prediction import UNKNOWN, FrameResult, Observed, Prediction, least_scores, name_best
from .preprocess import check_pixels, preprocess
from .tflite.interpreter import RUNTIMES, Runtime, default_threads, open_interpreter
from .validation.arguments import as_path, as_score, as_whole, check_choice

if TYPE_CHECKING:
    from .accelerator.accelerator import Acceleration, Accelerator

MOST_THREADS = 1024  # no machine has more to give to one image


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
        accelerator: "str | Accelerator" = "cpu",
    ) -> None:
        """Load the .tflite model at `path`.

        Args:
            path: the file.
            threads: of one inference, 1 to 1024; None for the usable cores, 4 at most.
            thresholds: the least score by label, 0 to 1; goes before those of the file.
            novelty_threshold: above it an image is unknown, 0 to 1; 1 for never; None: the file's.
            runtime: what computes the model.
            accelerator: auto, gpu, npu or LIBRARY[;KEY:VALUE…]; computes if it passes its trial,
                as `acceleration` says. An `Accelerator` has passed before.

        Raises:
            EdgeclfError: the file is missing, damaged or not of `edgeclf convert`, the runtime
                refuses it, or an argument is not as above.
        """
        mend = f"give 1 to {MOST_THREADS}, or None for the usable cores, 4 at most"
        threads = default_threads() if threads is None else threads
        threads = as_whole(threads, name="threads", least=1, most=MOST_THREADS, mend=mend)
        if not isinstance(thresholds, Mapping | None):
            raise EdgeclfError(f"thresholds {thresholds!r:.80}: give scores by label, as a dict")
        if novelty_threshold is not None:
            novelty_threshold = as_score(novelty_threshold, name="novelty threshold")
        check_choice(runtime, name="runtime", known=RUNTIMES)
        self.path = as_path(path, name="path")
        data, spec = read_model(self.path)
        self.thresholds = dict(spec.thresholds or {}) | dict(thresholds or {})
        check_thresholds(self.thresholds, spec.labels)
        self.notices: list[str] = []
        self.acceleration: Acceleration | None = None
        if accelerator == "cpu":
            self.interpreter = open_interpreter(
                data, name=str(path), threads=threads, notices=self.notices, runtime=runtime
            )
        else:
            from .accelerator.selection import open_accelerated

            opened = open_accelerated(accelerator, data, self.path, threads, runtime)
            self.interpreter, self.acceleration, self.notices = opened
        self._tensors = ModelTensors(self.interpreter, spec, name=str(path))
        self.knowledge = Knowledge(spec, self._tensors, novelty_threshold)

    @property
    def spec(self) -> ModelSpec:
        """What the file says of itself."""
        return self.knowledge.spec

    def renew(self, spec: ModelSpec) -> None:
        """Answer from now on by `spec`, which differs in what was taught alone."""
        self.knowledge = replace(self.knowledge, spec=spec)

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
        if self.spec.taught is not None:
            return self.answer(self.observe(model_input))[0]
        return self.dequantize(self.infer(model_input))

    def infer(self, model_input: RGBImage) -> NDArray[Any]:
        """Return the network's output as it comes, of shape (outputs,) and its own type.

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
        return self._tensors.compute(model_input)[0]

    def observe(self, model_input: RGBImage) -> Observed:
        """Return the network's scores of an image, its features and its appearance.

        Args:
            model_input: what `preprocess` returns.

        Raises:
            EdgeclfError: the file does not give its features.
        """
        if not self._tensors.has_features:
            raise EdgeclfError(
                f"{self.path}: it gives no features; convert the model again, with --novelty"
            )
        output, features, _ = self._tensors.compute(model_input, with_features=True)
        return self.knowledge.observed(model_input, output, features)

    def answer(self, seen: Observed) -> tuple[NDArray[np.float32], Novelty | None]:
        """Return the scores of all classes, of shape (classes,), and the novelty of an image.

        Args:
            seen: what `observe` returns.
        """
        return self.knowledge.answer(seen)

    def dequantize(self, output: NDArray[Any]) -> NDArray[np.float32]:
        """Return what `infer` returned as scores of the network's own classes, the first labels.

        Raises:
            ScoresError: they are not numbers.
            EdgeclfError: `output` is nothing that `infer` returns.
        """
        return self._tensors.dequantize(output)

    def class_activation_map(self, index: int) -> NDArray[np.float32]:
        """Return where the class `index` stands in the image that this thread scored last.

        Its mean plus the class's bias is the class's logit, up to quantization: positive places
        speak for the class, negative ones against it (https://arxiv.org/abs/1512.04150).

        Args:
            index: of the class among the labels.

        Returns:
            float32 of the size of the last feature map, whose places divide the input evenly.

        Raises:
            EdgeclfError: the file has no feature map, there is no such class, or another thread has
                scored an image since.
        """
        self._check_heatmap()
        last = len(self.spec.labels) - 1
        mend = f"give its index, 0 to {last}"
        index = as_whole(index, name="class", least=0, most=last, mend=mend)
        return self.knowledge.heatmap(self._tensors.last_features(), index)

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
        result = self._classify(rgb, is_bgr=False, top=top, threshold=threshold, heatmap=heatmap)
        return result.prediction

    def classify_batch(
        self, images: Iterable[RGBImage], *, top: int = 3, threshold: float = 0.0
    ) -> list[Prediction]:
        """Classify images one after another, and return their predictions in the same order.

        A loop over `classify`, as fast, not faster; of a generator one image is held at a time.

        Args:
            images: as `classify` takes them; their sizes may differ.
            top, threshold: as of `classify`.

        Raises:
            EdgeclfError: an image is not as `classify` takes it; its place in the batch is named.
        """
        if not isinstance(images, Iterable):
            raise EdgeclfError(f"images {images!r:.80}: give a list or another iterable of arrays")
        predictions = []
        for place, rgb in enumerate(images):
            try:
                predictions.append(self.classify(rgb, top=top, threshold=threshold))
            except EdgeclfError as error:
                raise EdgeclfError(f"image {place} of the batch: {error}") from None
        return predictions

    def classify_frame(
        self, bgr: BGRImage, *, top: int = 3, threshold: float = 0.0, heatmap: bool = False
    ) -> FrameResult:
        """Classify a frame as OpenCV gives it, and time the steps.

        Args:
            bgr: BGR uint8 of shape (height, width, 3); the others are as of `classify`.
        """
        return self._classify(bgr, is_bgr=True, top=top, threshold=threshold, heatmap=heatmap)

    def self_test(self) -> SelfTestResult:
        """Compute the outputs again that the file carries, and compare.

        Raises:
            EdgeclfError: it carries none.
        """
        other = self.acceleration is not None and self.acceleration.used is not None
        return self.knowledge.self_test(self.interpreter, name=str(self.path), accelerated=other)

    def _classify(
        self, pixels: RGBImage, *, is_bgr: bool, top: int, threshold: float, heatmap: bool
    ) -> FrameResult:
        mend = "give the number of classes to list, 1 or more"
        top = as_whole(top, name="top", least=1, mend=mend)
        threshold = as_score(threshold, name="threshold")
        if heatmap:
            self._check_heatmap()
        start = time.perf_counter()
        model_input = self.preprocess(pixels)
        if is_bgr:  # each channel is preprocessed alone, so the small image can be turned around
            model_input = np.asarray(cv2.cvtColor(model_input, cv2.COLOR_BGR2RGB), np.uint8)
        preprocessed = time.perf_counter()
        known = self.knowledge
        labels = known.spec.labels
        output, features, seconds = self._tensors.compute(
            model_input, with_features=heatmap or known.spec.novelty is not None
        )
        invoked = time.perf_counter()
        judged = features if known.spec.novelty is not None else None
        seen = known.observed(model_input, output, judged)
        scores, novelty = known.answer(seen)
        steps = {"preprocess": preprocessed - start, "invoke": seconds}
        ms = sum(steps.values()) * 1000
        least = least_scores(labels, self.thresholds, threshold)
        prediction = name_best(scores, labels=labels, least=least, top=top, ms=ms, novelty=novelty)
        if heatmap and features is not None:
            shown = prediction.top[0][0] if prediction.label == UNKNOWN else prediction.label
            prediction = replace(prediction, heatmap=known.heatmap(features, labels.index(shown)))
        steps["postprocess"] = time.perf_counter() - invoked
        steps_ms = {step: seconds * 1000 for step, seconds in steps.items()}
        return FrameResult(prediction, scores, steps_ms, novelty, labels, seen)

    def _check_heatmap(self) -> None:
        if self.spec.heatmap is None:
            mend = "convert the model with --heatmap"
            raise EdgeclfError(f"{self.path}: it makes no heatmaps; {mend}")
