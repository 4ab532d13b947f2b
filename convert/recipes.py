"""The ways to quantize, each a named value."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from ..edge_runtime.errors import EdgeclfError

Kind = Literal["full integer", "integer weights", "float", "no fast kernels"]
KINDS: tuple[Kind, ...] = get_args(Kind)  # the fastest first


@dataclass(frozen=True)
class Recipe:
    """How the deploy graph becomes a TFLite file.

    Attributes:
        name: as the command line takes it.
        weights: type of the stored weights.
        activations: type that the operators compute in.
        summary: what it is good for, for people.
        trains: whether the network is fine-tuned with the rounding in place.
    """

    name: str
    weights: Literal["float32", "float16", "int8"]
    activations: Literal["float32", "int8", "int16"]
    summary: str
    trains: bool = False

    @property
    def kind(self) -> Kind:
        """How its files compute, which says how fast."""
        if self.activations == "int8":
            return "full integer"
        if self.activations == "int16":
            return "no fast kernels"  # XNNPACK knows no 16-bit integers
        return "integer weights" if self.weights == "int8" else "float"

    def has_own_ranges(self, *, unknown_layers: Sequence[str]) -> bool:
        """Return whether we choose the ranges of int8, and not TFLite's converter.

        It takes the extremes, and must where there are layers that we do not know. What trains has
        ranges of its own anyway.
        """
        return self.trains or (self.activations == "int8" and not unknown_layers)

    @property
    def calibrates(self) -> bool:
        """Whether it must see images to know the ranges of the activations."""
        return self.activations != "float32"


_ALL = (
    Recipe("float32", "float32", "float32", "the float model, without BatchNorm"),
    Recipe("float16", "float16", "float32", "half the size, computes in float32"),
    Recipe(
        "dynamic",
        "int8",
        "float32",
        "weights a quarter of the size, quantizes activations on the fly",
    ),
    Recipe("int8", "int8", "int8", "full integer: weights a quarter of the size, and the fastest"),
    Recipe("int16x8", "int8", "int16", "int8 weights, int16 activations: exact, but slow anywhere"),
    Recipe("int8-qat", "int8", "int8", "int8, fine-tuned until it agrees with float", trains=True),
)
DEFAULT_RECIPES = ("float32", "float16", "dynamic", "int8")
RECIPES = {recipe.name: recipe for recipe in _ALL}


def parse_recipes(text: str) -> tuple[Recipe, ...]:
    """Return the recipes of a comma-separated list, each once, in its order."""
    names = list(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    unknown = [name for name in names if name not in RECIPES]
    if unknown or not names:
        raise EdgeclfError(
            f"unknown recipe {', '.join(map(repr, unknown)) or repr(text)}; "
            f"known: {', '.join(RECIPES)}"
        )
    return tuple(RECIPES[name] for name in names)
