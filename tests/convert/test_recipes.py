"""Recipes decide by themselves how they are quantized and how fast their files compute."""

import pytest

from edgeclf.convert.recipes import KINDS, RECIPES


@pytest.mark.parametrize(
    ("name", "own", "own_beside_unknown_layers"),
    [
        ("float32", False, False),
        ("float16", False, False),
        ("dynamic", False, False),
        ("int8", True, False),
        ("int16x8", False, False),
        ("int8-qat", True, True),
    ],
)
def test_whose_ranges_a_recipe_takes(name: str, own: bool, own_beside_unknown_layers: bool) -> None:
    recipe = RECIPES[name]
    assert recipe.has_own_ranges(unknown_layers=()) is own
    assert recipe.has_own_ranges(unknown_layers=("strange",)) is own_beside_unknown_layers


def test_kinds_from_fast_to_slow() -> None:
    ranks = {name: KINDS.index(recipe.kind) for name, recipe in RECIPES.items()}
    assert ranks["int8"] == ranks["int8-qat"] < ranks["dynamic"] < ranks["float32"]
    assert ranks["float16"] == ranks["float32"] < ranks["int16x8"]
