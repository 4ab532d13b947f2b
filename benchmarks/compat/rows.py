"""A row of the compatibility table: one runtime, and what it must make of our files.

Whoever provides rows has a function `rows() -> list[Row]`. The probe that a row runs writes one
JSON object, with one of

    {"runtime": NAME, "version": VERSION, "outputs": [BASE64, …], "ms": MS, "delegated": PARTS}
    {"runtime": NAME, "version": VERSION, "refused": REASON}
    {"runtime": NAME, "unavailable": REASON}

`outputs[k]` is output k of all N inputs, back to back, in the model's order: the bytes as the
runtime gives them, little-endian, in base64. `ms` is the median of an inference on one thread, or
null; `delegated` is how many parts of the graph a delegate runs, or null where that cannot be told.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

# From the best to the worst; what a row is expected to be, it or a better one must be.
BIT_EQUAL, LAST_BIT, CLOSE, DIFFERS = "bit-equal", "last bit", "close", "differs"
COMPARED = (BIT_EQUAL, LAST_BIT, CLOSE, DIFFERS)

# A runtime that will not load the file; one that cannot be had on this machine.
REFUSED, UNAVAILABLE = "refused", "unavailable"


@dataclass(frozen=True)
class Row:
    """A runtime in the table.

    Attributes:
        name: how the table calls it, with its version where that is pinned.
        expected: the state that must hold of the int8 files: `bit-equal`, `last bit` (one step at
            most), `close`, `differs` or `refused`. A better one passes too, but for `refused`.
        run: takes the folder of a case and a folder to work in, which is kept; returns the JSON
            object above.
        recipes: the states that must hold of files of other recipes, by recipe, where they are
            not `expected`; None for a recipe that this row does not run.
        scores_only: the runtime gives the first output only.
        estimate: its milliseconds are an estimate, not a measurement.
    """

    name: str
    expected: str
    run: Callable[[Path, Path], dict[str, Any]]
    recipes: Mapping[str, str | None] = field(default_factory=dict)
    scores_only: bool = False
    estimate: bool = False
