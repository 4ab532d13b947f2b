"""What the runtime must know of a model. It travels inside the .tflite file."""

import json
from dataclasses import asdict, dataclass
from typing import Any

from .errors import EdgeclfError
from .heatmap import HeatmapHead
from .preprocess import RESIZE_RULES, ResizeRule
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

    @property
    def labels_text(self) -> str:
        """The content of `labels.txt`: one class a line."""
        return "\n".join(self.labels) + "\n"

    def to_json(self) -> str:
        """Return the spec as JSON text, the same bytes for the same spec."""
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
            spec = cls(**values)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise EdgeclfError(
                f"{name}: its spec is damaged ({error}); convert the model again"
            ) from None
        if spec.resize not in RESIZE_RULES:
            raise EdgeclfError(
                f"{name}: unknown resize rule {spec.resize!r}; known: {', '.join(RESIZE_RULES)}"
            )
        return spec
