"""The float model in Keras, and what must be known to build it again."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .. import __version__
from ..edge_runtime.errors import EdgeclfError
from ..edge_runtime.images import RGBImage
from ..edge_runtime.model_file.spec import ModelSpec
from ..edge_runtime.preprocess import ResizeRule
from .networks.architectures import architecture
from .score_calibration import Calibration


@dataclass(frozen=True)
class FloatModelInfo:
    """What must be known to build the float model again.

    Attributes:
        architecture: its name in `ARCHITECTURES`.
        labels: class names in the order of the output.
        input_hw: input height and width in pixels.
        resize: how a photograph is brought to that size.
        weights: the file that holds them.
        calibration: of its scores.
        good: the label of what is without a defect; None where the classes are of another kind.
        channels: output channels of convolutions that have fewer than the architecture gives them,
            by the layer's name.
    """

    architecture: str
    labels: tuple[str, ...]
    input_hw: tuple[int, int]
    resize: ResizeRule
    weights: Path
    calibration: Calibration = field(default_factory=Calibration)
    good: str | None = None
    channels: Mapping[str, int] = field(default_factory=dict)

    def spec(self, recipe: str) -> ModelSpec:
        """Return the spec of this model quantized by `recipe`."""
        return ModelSpec(
            labels=self.labels,
            input_hw=self.input_hw,
            resize=self.resize,
            recipe=recipe,
            architecture=self.architecture,
            edgeclf_version=__version__,
            thresholds=self.calibration.thresholds,
            good=self.good,
        )


class FloatModel:
    """The float model in Keras: the reference that every quantized one is held against."""

    def __init__(self, info: FloatModelInfo) -> None:
        """Build the architecture in code and fill it with the arrays of the weights file."""
        from .networks.channels import with_channels
        from .networks.classifier import HEAD_NAME, build_classifier, with_features
        from .networks.patch_memory import MEMORY_NAME, PROJECTION_NAME, good_only_classifier
        from .networks.weights import read_weights, set_weights

        self.info = info
        weights = read_weights(info.weights)
        if HEAD_NAME in weights and (classes := weights[HEAD_NAME][-1].size) != len(info.labels):
            raise EdgeclfError(
                f"{info.weights}: expected labels for {classes} classes, got {len(info.labels)}; "
                "give the labels of these weights, one a line"
            )
        network = architecture(info.architecture)
        if MEMORY_NAME in weights and PROJECTION_NAME in weights:
            self.keras_model = good_only_classifier(
                network,
                input_hw=info.input_hw,
                dimensions=weights[PROJECTION_NAME][-1].size,
                patches=weights[MEMORY_NAME][-1].size,
            )
        else:
            self.keras_model = build_classifier(
                network, classes=len(info.labels), input_hw=info.input_hw
            )
        if info.channels:
            where = f"{info.weights.parent}: its config.json"
            self.keras_model = with_channels(self.keras_model, info.channels, where=where)
        set_weights(self.keras_model, weights, source=str(info.weights), head=True)
        # Here, so that all that is made of the float model says the same.
        head = self.keras_model.get_layer(HEAD_NAME)
        head.set_weights([each / info.calibration.temperature for each in head.get_weights()])
        self._compute = with_features(self.keras_model)

    def scores(self, inputs: NDArray[np.uint8], *, batch_size: int = 32) -> NDArray[np.float32]:
        """Return float32 scores of shape (images, classes) for RGB uint8 (images, h, w, 3)."""
        if not len(inputs):
            return np.empty((0, len(self.info.labels)), np.float32)
        return self.observe(inputs, batch_size=batch_size)[0]

    def observe(
        self, inputs: NDArray[np.uint8], *, batch_size: int = 32
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return the scores of images and their features, the mean of the last feature map.

        Args:
            inputs: RGB uint8 of shape (images, height, width, 3), one image or more.
            batch_size: number of images that are computed at once.

        Returns:
            float32 of shape (images, classes), and of shape (images, channels).
        """
        batches = [
            self._compute(inputs[i : i + batch_size].astype(np.float32))
            for i in range(0, len(inputs), batch_size)
        ]
        scores, features = (np.concatenate(part) for part in zip(*batches, strict=True))
        return scores, features

    def score_one(self, model_input: RGBImage) -> NDArray[np.float32]:
        """Return float32 scores of shape (classes,) for one RGB uint8 input (h, w, 3).

        As users of Keras do it, for whoever measures how long that takes.
        """
        pixels = model_input[np.newaxis].astype(np.float32)
        scores: NDArray[np.float32] = np.asarray(self.keras_model.predict_on_batch(pixels))[0]
        return scores
