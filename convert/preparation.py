"""What recipes that calibrate start from: the calibration images, and a graph that they improve."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from ..edge_runtime.command_line.warning import echo_warning
from ..edge_runtime.errors import EdgeclfError
from ..models.float_model import FloatModelInfo
from ..models.photographs import Photographs, load_photographs
from .graph.nodes import Graph
from .quantize.calibrate import choose_balanced, pin_input_range
from .quantize.ranges import TensorRange
from .recipes import Recipe
from .techniques.registry import apply_techniques, calibrate_int8
from .techniques.technique import Technique

# On fewer images the extremes of the activations are not known yet: DenseNet121's int8 agreed with
# float on 0.67, 0.90, 0.94 and 1.00 of 67 ImageNet images after 1, 3, 10 and 30.
_FEW_IMAGES = 30


@dataclass(frozen=True)
class CalibrationPlan:
    """On what recipes calibrate, and what is done to the network for them.

    Attributes:
        photographs: to choose from; None if there are none.
        count: how many are chosen, the classes in turn.
        seed: of the choice.
        techniques: what is done before int8, in this order.
    """

    photographs: Photographs | None
    count: int
    seed: int
    techniques: tuple[Technique, ...]


class Preparation:
    """The images and the graphs that a plan makes of a float network, each made once."""

    def __init__(self, graph: Graph, info: FloatModelInfo, plan: CalibrationPlan) -> None:
        self._graph = graph
        self._info = info
        self._plan = plan

    @cached_property
    def inputs(self) -> NDArray[np.uint8]:
        """The calibration images: RGB uint8 of shape (images, height, width, 3)."""
        photographs, plan = self._plan.photographs, self._plan
        if photographs is None:
            raise EdgeclfError("no images to calibrate on; add --calibration FOLDER")
        paths = choose_balanced(
            photographs.paths, photographs.labels, count=plan.count, seed=plan.seed
        )
        chosen = Photographs(tuple(paths), ("",) * len(paths))
        pixels, _ = load_photographs(chosen, size_hw=self._info.input_hw, rule=self._info.resize)
        click.echo(f"Calibrating on {len(pixels)} images")
        if len(pixels) < _FEW_IMAGES:
            echo_warning(
                f"ranges from fewer than {_FEW_IMAGES} images may cut off what others "
                "hold; calibrate on 100 or more, of every class and light"
            )
        return pin_input_range(pixels)

    def start_of(self, recipe: Recipe) -> tuple[Graph, dict[str, TensorRange] | None]:
        """Return the graph that `recipe` quantizes or trains, and its ranges; None if the recipe
        has none of its own."""
        if recipe.has_own_ranges(unknown_layers=self._graph.unknown_layers):
            return self._int8
        return (self._improved if recipe.calibrates else self._graph), None

    @cached_property
    def _int8(self) -> tuple[Graph, dict[str, TensorRange]]:
        return calibrate_int8(self._improved, self._plan.techniques, self.inputs)

    @cached_property
    def _improved(self) -> Graph:
        return apply_techniques(self._graph, self._plan.techniques, self.inputs)

    def to_json(self) -> dict[str, Any]:
        """Return what was done so far as a JSON object."""
        return {
            "images": len(self.inputs) if "inputs" in vars(self) else 0,
            "seed": self._plan.seed,
            "techniques": [technique.name for technique in self._plan.techniques],
        }
