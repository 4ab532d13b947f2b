"""The one interpreter of the process, for whoever asks: one inference at a time."""

import threading
import time
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from ..classifier import Classifier, Prediction
from ..images import RGBImage
from .sources.capture import BGRImage


@dataclass(frozen=True, eq=False)
class FrameResult:
    """What came of a frame.

    Attributes:
        prediction: what the model says of it.
        scores: of each class, float32 of shape (classes,), 0 to 1.
        steps_ms: what `preprocess`, `invoke` and `postprocess` took, in milliseconds.
    """

    prediction: Prediction
    scores: NDArray[np.float32]
    steps_ms: dict[str, float]


class SharedClassifier:
    """A `Classifier` that several threads may use."""

    def __init__(self, classifier: Classifier) -> None:
        """Share `classifier`, which nobody else uses from now on."""
        self.spec = classifier.spec
        self._classifier = classifier
        self._lock = threading.Lock()

    def classify(
        self, rgb: RGBImage, *, top: int = 3, threshold: float = 0.0, heatmap: bool = False
    ) -> Prediction:
        """Classify an image as `Classifier.classify` does, once it is our turn."""
        with self._lock:
            return self._classifier.classify(rgb, top=top, threshold=threshold, heatmap=heatmap)

    def classify_frame(
        self, bgr: BGRImage, *, top: int = 3, threshold: float = 0.0, heatmap: bool = False
    ) -> FrameResult:
        """Classify a frame, uint8 of shape (height, width, 3), and time the steps.

        `preprocess` treats each channel on its own: that blue comes first is put right afterwards,
        on the small image.
        """
        classifier = self._classifier
        start = time.perf_counter()
        small = classifier.preprocess(bgr)
        model_input = np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2RGB), np.uint8)
        preprocessed = time.perf_counter()
        with self._lock:
            our_turn = time.perf_counter()
            output = classifier.infer(model_input)
            invoked = time.perf_counter()
            scores = classifier.dequantize(output)
            seen = classifier.class_activation_map(int(scores.argmax())) if heatmap else None
        seconds = {"preprocess": preprocessed - start, "invoke": invoked - our_turn}
        prediction = classifier.name_best(
            scores, top=top, threshold=threshold, ms=sum(seconds.values()) * 1000
        )
        seconds["postprocess"] = time.perf_counter() - invoked
        steps_ms = {step: taken * 1000 for step, taken in seconds.items()}
        return FrameResult(replace(prediction, heatmap=seen), scores, steps_ms)
