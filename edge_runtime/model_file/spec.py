"""What the runtime must know of a model. It travels inside the .tflite file."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from numbers import Real
from typing import TYPE_CHECKING, Any

from ..errors import EdgeclfError
from ..heatmap import HeatmapHead
from ..novelty.model import NoveltyModel
from ..preprocess import RESIZE_RULES, ResizeRule
from ..validation.strict_json import member, read_object, typed
from .self_test import SelfTest

if TYPE_CHECKING:
    from ..novelty.taught import TaughtHead

SCHEMA = 1

# What travels behind the model, by these names.
SPEC_NAME = "edgeclf.json"
LABELS_NAME = "labels.txt"

_LARGEST_SIDE = 8192  # pixels of an input
_SHA256 = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True)
class ModelSpec:
    """The facts about a classifier that are not in its weights.

    Attributes:
        labels: class names: the network's in the order of its output, then those that were taught.
        input_hw: height and width of the input in pixels; it takes RGB uint8.
        resize: how a photograph is brought to that size.
        recipe: how the weights were quantized (`float32`, `int8`, …).
        architecture: the network's name, for people.
        edgeclf_version: what wrote the file.
        self_test: outputs that every runtime must compute again.
        heatmap: what makes heatmaps of the second output; None where that is no feature map.
        novelty: what tells from the second output how unlike its training an image is; None where
            nothing was fitted.
        taught: what it was taught on a device; None of a file as it was converted.
        provenance: where the weights come from, as a JSON object.
        thresholds: by label, the score from which a live run believes it, 0 to 1; the labels that
            it leaves out have the run's own.
        good: the label of what is without a defect; None where the classes are of another kind.
        flatbuffer_sha256: digest of the flatbuffer, in hexadecimal; set when the file is written,
            None in a file from before there was one.
    """

    labels: tuple[str, ...]
    input_hw: tuple[int, int]
    resize: ResizeRule
    recipe: str
    architecture: str
    edgeclf_version: str
    self_test: SelfTest | None = None
    heatmap: HeatmapHead | None = None
    novelty: NoveltyModel | None = None
    taught: "TaughtHead | None" = None
    provenance: dict[str, Any] | None = None
    thresholds: dict[str, float] | None = None
    good: str | None = None
    flatbuffer_sha256: str | None = field(default=None, compare=False)

    @property
    def network_labels(self) -> tuple[str, ...]:
        """The classes of the model's output: all that other runtimes know of."""
        return self.labels if self.taught is None else self.labels[: self.taught.outputs]

    @property
    def labels_text(self) -> str:
        """The content of `labels.txt`: the network's classes, one a line."""
        return "\n".join(self.network_labels) + "\n"

    def to_json(self) -> str:
        """Return the spec as JSON text, the same bytes for the same spec."""
        check_thresholds(self.thresholds or {}, self.labels)
        values = asdict(self, dict_factory=_without_none)
        return json.dumps({"schema": SCHEMA} | values, indent=1, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str, *, name: str) -> "ModelSpec":
        """Read what `to_json` wrote; `name` is the model's and stands in the errors."""
        try:
            values = read_object(text)
            schema = values.pop("schema")
            if schema != SCHEMA:
                raise EdgeclfError(
                    f"{name}: its spec has schema {schema}, this edgeclf reads {SCHEMA}; "
                    "convert it again with this version"
                )
            spec = cls(**_typed_values(values))
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
            raise EdgeclfError(
                f"{name}: its spec is damaged ({error}); convert the model again"
            ) from None
        if spec.resize not in RESIZE_RULES:
            raise EdgeclfError(
                f"{name}: unknown resize rule {spec.resize!r}; known: {', '.join(RESIZE_RULES)}"
            )
        try:
            check_thresholds(spec.thresholds or {}, spec.labels)
            check_good(spec.good, spec.labels)
        except EdgeclfError as error:
            raise EdgeclfError(f"{name}: {error}") from None
        return spec


def _without_none(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return {name: value for name, value in pairs if value is not None}


def _typed_values(values: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a spec from its JSON object; a damaged one is a ValueError, Key- or
    TypeError."""
    for name in ("resize", "recipe", "architecture", "edgeclf_version"):
        member(values, name, str)
    sides = [typed("a side of the input", side, int) for side in member(values, "input_hw", list)]
    if len(sides) != 2 or not all(1 <= side <= _LARGEST_SIDE for side in sides):
        raise ValueError(f"an input of {sides} pixels")
    labels = [typed("a label", label, str) for label in member(values, "labels", list)]
    if not labels or not all(labels) or len(set(labels)) < len(labels):
        raise ValueError("labels that are missing, empty or twice the same")
    read: dict[str, Any] = {"labels": tuple(labels), "input_hw": tuple(sides)}
    if "self_test" in values:
        read["self_test"] = SelfTest.from_json(member(values, "self_test", dict))
    if "heatmap" in values:
        head = member(values, "heatmap", dict)
        member(head, "channels", int)
        member(head, "weights", str)
        read["heatmap"] = HeatmapHead.from_json(head)
    if "novelty" in values:
        novelty = member(values, "novelty", dict)
        taught = member(values, "taught", dict) if "taught" in values else {"outputs": len(labels)}
        read["novelty"] = NoveltyModel.from_json(novelty, classes=member(taught, "outputs", int))
    if "taught" in values:
        from ..novelty.taught import TaughtHead  # most files were taught nothing

        head = TaughtHead.from_json(member(values, "taught", dict), labels=labels)
        knowing = read.get("novelty")
        if (
            knowing is None
            or head.channels != knowing.channels
            or (head.appearances is None) != (knowing.appearance is None)
        ):
            raise ValueError("taught classes without what they are known by")
        read["taught"] = head
    if "provenance" in values:
        member(values, "provenance", dict)
    if "thresholds" in values:
        thresholds = member(values, "thresholds", dict)
        read["thresholds"] = {
            label: float(typed("a threshold", value, int, float))
            for label, value in thresholds.items()
        }
    if "good" in values:
        member(values, "good", str)
    if "flatbuffer_sha256" in values and not _SHA256.fullmatch(
        member(values, "flatbuffer_sha256", str)
    ):
        raise ValueError("a digest that is none")
    return values | read


def check_thresholds(thresholds: Mapping[str, float], labels: Sequence[str]) -> None:
    """Complain of a threshold of a class that is none of `labels`, or that is no score."""
    for label, value in thresholds.items():
        if label not in labels:
            raise EdgeclfError(
                f"a threshold for {label!r}, which is no class; the classes: {', '.join(labels)}"
            )
        if isinstance(value, bool) or not isinstance(value, Real) or not 0 <= value <= 1:
            given = f"{value:g}" if isinstance(value, float) else f"{value!r:.40}"
            raise EdgeclfError(f"a threshold of {given} for {label!r}; give one from 0 to 1")


def check_good(good: str | None, labels: Sequence[str]) -> None:
    """Complain of a good class that is none of `labels`."""
    if good is not None and good not in labels:
        raise EdgeclfError(
            f"the good class {good!r} is none of the classes: {', '.join(labels)}; give one of them"
        )
