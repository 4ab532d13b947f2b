"""What a file's spec makes of its network's outputs: scores of all classes, novelty, heatmaps."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .errors import EdgeclfError
from .images import RGBImage
from .model_file.model_tensors import ModelTensors
from .model_file.self_test import SelfTest, SelfTestResult, run_self_test
from .model_file.spec import ModelSpec
from .novelty.appearance import AppearanceRange, appearance_of, departure_from
from .novelty.features import LEAST_LENGTH
from .novelty.model import Novelty
from .prediction import Observed
from .tflite.interpreter import Interpreter

if TYPE_CHECKING:
    from .novelty.prototypes import Prototypes

# Of a score that the taught head computes, on the same outputs and features: sums in another order.
_HEAD_TOLERANCE = 1e-3


@dataclass(frozen=True, eq=False)
class Knowledge:
    """A spec, ready to answer; it never changes, so several threads may ask it.

    Attributes:
        spec: of the file.
        tensors: of its network.
        novelty_threshold: the novelty above which an image is unknown; None for the file's own.
    """

    spec: ModelSpec
    tensors: ModelTensors
    novelty_threshold: float | None = None

    @cached_property
    def prototypes(self) -> "Prototypes | None":
        """The classes that were taught; None of a file as it was converted."""
        spec = self.spec
        if spec.taught is None or spec.novelty is None:
            return None
        return spec.taught.prototypes(spec.novelty, spec.labels)

    @cached_property
    def appearances(self) -> tuple[AppearanceRange, ...]:
        """What the images look like that the file knows; empty if it does not say."""
        novelty, taught = self.spec.novelty, self.spec.taught
        known = () if novelty is None else novelty.appearance_ranges
        return known if taught is None else (*known, *taught.appearance_ranges())

    def observed(
        self, model_input: RGBImage, output: NDArray[Any], features: NDArray[Any] | None
    ) -> Observed:
        """Return what is seen of an image, as numbers.

        Args:
            model_input: its pixels.
            output: the network's scores of it, as they come.
            features: the second output; None where that was not asked for.
        """
        scores, novelty = self.tensors.dequantize(output), self.spec.novelty
        if features is None:
            return Observed(scores, None)
        is_asked = novelty is None or novelty.appearance is not None
        appearance = appearance_of(model_input) if is_asked else None
        return Observed(scores, self.tensors.mean_features(features), appearance)

    def answer(self, seen: Observed) -> tuple[NDArray[np.float32], Novelty | None]:
        """Return the scores of all classes, of shape (labels,), and the novelty, if it can tell."""
        scores, features, distance, share = seen.scores, seen.features, np.inf, 1.0
        if self.spec.novelty is None or features is None:
            return scores, None
        if self.prototypes is not None:
            scores, distance, share = self.prototypes.answer(features, seen.scores)
        novelty = self.spec.novelty.judge(
            features,
            seen.scores,
            departure=departure_from(self.appearances, seen.appearance),
            threshold=self.novelty_threshold,
            taught_distance=distance,
            network_share=share,
        )
        return scores, novelty

    def heatmap(self, features: NDArray[Any], index: int) -> NDArray[np.float32]:
        """Return where a class was seen, float32 of shape (rows, columns).

        Of the network's classes by the weights of its last layer; of a class that was only taught,
        by what tells its mean from the others: the map's mean is above 0 for what is nearer to it.

        Args:
            features: the feature map.
            index: of the class among the labels.
        """
        assert self.spec.heatmap is not None
        weights = self.spec.heatmap.class_weights()
        if index < len(weights) or self.prototypes is None:
            return self.tensors.activation_map(features, weights[index])
        (row,) = np.flatnonzero(self.prototypes.places == index)
        space = self.prototypes.space
        direction, bias = space.discriminant(self.prototypes.centres[row])
        length = float(np.linalg.norm(self.tensors.mean_features(features)))
        shown = self.tensors.activation_map(features, direction)
        return np.asarray(shown / max(length, LEAST_LENGTH) + bias, np.float32)

    def head_scores(self, test: SelfTest) -> NDArray[np.float32] | None:
        """Return what the taught head makes of a self-test's outputs, of shape (inputs, labels)."""
        features = test.expected_features()
        if self.prototypes is None or features is None:
            return None
        scores = map(self.tensors.dequantize, test.expected())
        answers = zip(features * np.float32(self.tensors.feature_scale), scores, strict=True)
        return np.stack([self.prototypes.answer(*answer)[0] for answer in answers])

    def self_test(
        self, interpreter: Interpreter, *, name: str, accelerated: bool = False
    ) -> SelfTestResult:
        """Compute the outputs again that the file carries, and compare.

        Args:
            interpreter: holds the network.
            name: of the file, for the error.
            accelerated: as of `run_self_test`.

        Raises:
            EdgeclfError: it carries none.
        """
        test = self.spec.self_test
        if test is None:
            raise EdgeclfError(f"{name}: it carries no self-test; convert the model again")
        with self.tensors.lock:
            result = run_self_test(interpreter, test, accelerated=accelerated)
        taught, computed = self.spec.taught, self.head_scores(test)
        expected = None if taught is None else taught.expected(len(self.spec.labels))
        if expected is None or computed is None:
            return result
        apart = np.abs(computed - expected)
        wrong = int(np.count_nonzero(~(apart <= _HEAD_TOLERANCE)))  # NaN is
        largest = float(apart.max()) if wrong else 0.0
        return replace(
            result,
            passed=result.passed and not wrong,
            values=result.values + apart.size,
            different=result.different + wrong,
            largest_difference=max(result.largest_difference, largest),
        )
