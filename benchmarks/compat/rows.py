"""A row of the compatibility table: one runtime, and what it must make of our files.

Whoever provides rows has a function `rows() -> list[Row]`. What a row's `run` returns is one of

    {"runtime": NAME, "version": VERSION, "outputs": [BASE64, …], "ms": MS, "delegated": PARTS}
    {"runtime": NAME, "version": VERSION, "cpu_operators": COUNT, "ms": MS}  of a compiler
    {"runtime": NAME, "version": VERSION, "refused": REASON}
    {"runtime": NAME, "unavailable": REASON}

An EdgeclfError that it raises makes its outcome `failed`, which no row expects.

`outputs[k]` is output k of all N inputs, back to back, in the model's order: the bytes as the
runtime gives them, little-endian, in base64. `ms` is the median of an inference on one thread, or
null; `delegated` is how many parts of the graph a delegate runs, or null where that is not known.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

# How outputs compare with the reference's, from the best to the worst.
BIT_EQUAL, LAST_BIT, CLOSE, DIFFERS = "bit-equal", "last bit", "close", "differs"

# A compiler left no operator to the CPU, or some.
COMPILED, PARTLY = "compiled", "partly"

# The runtime does not load the file; it cannot be had on this machine; the row itself went wrong.
REFUSED, UNAVAILABLE, FAILED = "refused", "unavailable", "failed"

# The recipes whose files are not full integer int8: they add up floats, in another order elsewhere.
OTHER_RECIPES: tuple[str, ...] = ("float32", "float16", "dynamic", "int16x8")

CLOSE_RECIPES: dict[str, str | None] = dict.fromkeys(OTHER_RECIPES, CLOSE)

STATES = (BIT_EQUAL, LAST_BIT, CLOSE, DIFFERS, COMPILED, PARTLY, REFUSED)


@dataclass(frozen=True)
class Row:
    """A runtime in the table.

    Attributes:
        name: how the table calls it, with its version where that is pinned.
        expected: the state that must hold of the int8 files. Of `bit-equal`, `last bit` (one step
            at most), `close` (within the self-test's tolerance) and `differs` a better one passes.
        run: takes the folder of a case and a folder to work in, which is kept; returns the JSON
            object above.
        recipes: the states that must hold of files of other recipes, where they are not
            `expected`; None for a recipe that this row does not run.
        scores_only: the runtime gives the first output only.
        note: of its milliseconds, what they are if not a measurement of this machine.
    """

    name: str
    expected: str
    run: Callable[[Path, Path], dict[str, Any]]
    recipes: Mapping[str, str | None] = field(default_factory=dict)
    scores_only: bool = False
    note: str = ""

    def expected_of(self, recipe: str) -> str | None:
        """Return the state that must hold of files of `recipe`; None if they are not run."""
        return self.recipes.get(recipe, self.expected)
