"""What the runtime must know of a model. It travels inside the .tflite file."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ..errors import EdgeclfError
from ..heatmap import HeatmapHead
from ..preprocess import RESIZE_RULES, ResizeRule
from .self_test import SelfTest

SCHEMA = 1

# What travels behind the model, by these names.
SPEC_NAME = "edgeclf.json"
LABELS_NAME = "labels.txt"


@dataclass(frozen=True)
class ModelSpec:
    """The facts about a classifier that are not in its weights.

    Attributes:
        labels: class names in the order of the model's output.
        input_hw: height and width of the input in pixels; it takes RGB uint8.
        resize: how a photograph is brought to that size.
        recipe: how the weights were quantized (`float32`, `int8`, …).
        architecture: the network's name, for people.
        edgeclf_version: what wrote the file.
        self_test: outputs that every runtime must compute again.
        heatmap: what makes heatmaps of the second output; None for a model of one.
        provenance: where the weights come from, as a JSON object.
        thresholds: by label, the score from which a live run believes it, 0 to 1; the labels that
            it leaves out have the run's own.
    """

    labels: tuple[str, ...]
    input_hw: tuple[int, int]
    resize: ResizeRule
    recipe: str
    architecture: str
    edgeclf_version: str
    self_test: SelfTest | None = None
    heatmap: HeatmapHead | None = None
    provenance: dict[str, Any] | None = None
    thresholds: dict[str, float] | None = None

    @property
    def labels_text(self) -> str:
        """The content of `labels.txt`: one class a line."""
        return "\n".join(self.labels) + "\n"

    def to_json(self) -> str:
        """Return the spec as JSON text, the same bytes for the same spec."""
        check_thresholds(self.thresholds or {}, self.labels)
        values = {name: value for name, value in asdict(self).items() if value is not None}
        return json.dumps({"schema": SCHEMA} | values, indent=1, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str, *, name: str) -> "ModelSpec":
        """Read what `to_json` wrote; `name` is the model's and stands in the errors."""
        try:
            values: dict[str, Any] = json.loads(text)
            schema = values.pop("schema")
            if schema != SCHEMA:
                raise EdgeclfError(
                    f"{name}: its spec has schema {schema}, this edgeclf reads {SCHEMA}; "
                    "convert it again with this version"
                )
            height, width = values["input_hw"]
            values["input_hw"] = (int(height), int(width))
            values["labels"] = tuple(values["labels"])
            if "self_test" in values:
                values["self_test"] = SelfTest.from_json(values["self_test"])
            if "heatmap" in values:
                values["heatmap"] = HeatmapHead.from_json(values["heatmap"])
            values["provenance"] = dict(values["provenance"]) if "provenance" in values else None
            if "thresholds" in values:
                values["thresholds"] = {
                    str(label): float(value) for label, value in values["thresholds"].items()
                }
            spec = cls(**values)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise EdgeclfError(
                f"{name}: its spec is damaged ({error}); convert the model again"
            ) from None
        if spec.resize not in RESIZE_RULES:
            raise EdgeclfError(
                f"{name}: unknown resize rule {spec.resize!r}; known: {', '.join(RESIZE_RULES)}"
            )
        try:
            check_thresholds(spec.thresholds or {}, spec.labels)
        except EdgeclfError as error:
            raise EdgeclfError(f"{name}: {error}") from None
        return spec


def check_thresholds(thresholds: Mapping[str, float], labels: Sequence[str]) -> None:
    """Complain of a threshold of a class that is none of `labels`, or that is no score."""
    for label, value in thresholds.items():
        if label not in labels:
            raise EdgeclfError(
                f"a threshold for {label!r}, which is no class; the classes: {', '.join(labels)}"
            )
        if not 0 <= value <= 1:
            raise EdgeclfError(f"a threshold of {value:g} for {label!r}; give one from 0 to 1")
