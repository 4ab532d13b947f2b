"""How what a runtime gave compares with the reference's: one state for each output."""

import base64
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeclf.edge_runtime.errors import EdgeclfError
from edgeclf.edge_runtime.model_file.self_test import PLAIN_STEPS

from .cases import Case, OutputTensor
from .rows import (
    BIT_EQUAL,
    CLOSE,
    COMPILED,
    DIFFERS,
    FAILED,
    LAST_BIT,
    PARTLY,
    REFUSED,
    STATES,
    UNAVAILABLE,
    Row,
)

# The order of what may be better than expected.
_COMPARED = (BIT_EQUAL, LAST_BIT, CLOSE, DIFFERS)


@dataclass(frozen=True)
class Difference:
    """How one output compares.

    Attributes:
        state: one of `bit-equal`, `last bit`, `close` and `differs`.
        values: how many were compared.
        different: how many of them are not the same.
        largest: difference, in steps where the output is quantized, else in its own unit.
    """

    state: str
    values: int
    different: int
    largest: float


@dataclass(frozen=True)
class Outcome:
    """What became of one file in one runtime.

    Attributes:
        state: the worst of its outputs; or `compiled`, `partly`, `refused`,
            `unavailable` or `failed`.
        expected: what must hold.
        passed: whether it does; what is unavailable is not held against anyone.
        differences: of each output that was compared.
        reason: why it was refused, is unavailable or failed; what is left to the CPU.
        version: of the runtime; None if it is unavailable.
        ms: of an inference on one thread; None if that was not measured.
        delegated: parts of the graph that a delegate runs; None if unknown.
    """

    state: str
    expected: str
    passed: bool
    differences: tuple[Difference, ...] = ()
    reason: str = ""
    version: str | None = None
    ms: float | None = None
    delegated: int | None = None


def run_row(row: Row, case: Case, reference: dict[str, Any], work: Path) -> Outcome:
    """Run the row on the case and compare; what goes wrong there is its outcome."""
    try:
        return outcome(row.run(case.folder, work), reference, row=row, case=case)
    except EdgeclfError as error:
        expected = row.expected_of(case.recipe) or FAILED
        return Outcome(FAILED, expected, passed=False, reason=str(error))


def outcome(seen: dict[str, Any], reference: dict[str, Any], *, row: Row, case: Case) -> Outcome:
    """Compare what the row's runtime gave with what the reference gave.

    Raises:
        EdgeclfError: the JSON object is none of those that rows.py describes.
    """
    expected = row.expected_of(case.recipe)
    if expected not in STATES:
        raise EdgeclfError(f"{row.name}: expected {expected!r} is none of {', '.join(STATES)}")
    differences: tuple[Difference, ...] = ()
    reason = ""
    if UNAVAILABLE in seen:
        return Outcome(UNAVAILABLE, expected, passed=True, reason=seen[UNAVAILABLE])
    if REFUSED in seen:
        state, reason = REFUSED, seen[REFUSED]
    elif "cpu_operators" in seen:
        left = int(seen["cpu_operators"])
        state, reason = (PARTLY, f"{left} operators on the CPU") if left else (COMPILED, "")
    else:
        differences = _differences(seen, reference, row=row, case=case)
        state = max((one.state for one in differences), key=_COMPARED.index)
    return Outcome(
        state,
        expected,
        passed=_passes(state, expected),
        differences=differences,
        reason=reason,
        version=seen["version"],
        ms=seen.get("ms"),
        delegated=seen.get("delegated"),
    )


def _passes(state: str, expected: str) -> bool:
    if state in _COMPARED and expected in _COMPARED:
        return _COMPARED.index(state) <= _COMPARED.index(expected)
    return state == expected


def _differences(
    seen: dict[str, Any], reference: dict[str, Any], *, row: Row, case: Case
) -> tuple[Difference, ...]:
    tensors = case.tensors[:1] if row.scores_only else case.tensors
    if len(seen["outputs"]) != len(tensors):
        raise EdgeclfError(
            f"{row.name}: gave {len(seen['outputs'])} outputs for {case.name}, "
            f"which has {len(tensors)}"
        )
    return tuple(
        compare(_values(given, tensor, row.name), _values(wanted, tensor, "reference"), case=case)
        for given, wanted, tensor in zip(
            seen["outputs"], reference["outputs"][: len(tensors)], tensors, strict=True
        )
    )


def compare(given: NDArray[Any], wanted: NDArray[Any], *, case: Case) -> Difference:
    """Return how the values of one output differ; NaN is close to nothing."""
    if given.size != wanted.size:
        raise EdgeclfError(f"{case.name}: {given.size} values where {wanted.size} belong")
    apart = np.abs(given.astype(np.float64) - wanted.astype(np.float64))
    largest = float(apart.max())
    if given.tobytes() == wanted.tobytes():
        state = BIT_EQUAL
    elif np.issubdtype(wanted.dtype, np.integer):
        state = LAST_BIT if largest <= 1 else CLOSE if largest <= PLAIN_STEPS else DIFFERS
    else:
        state = CLOSE if largest <= case.tolerance else DIFFERS
    return Difference(state, given.size, int(np.count_nonzero(given != wanted)), largest)


def _values(encoded: str, tensor: OutputTensor, who: str) -> NDArray[Any]:
    data = base64.b64decode(encoded, validate=True)
    dtype = np.dtype(tensor.dtype).newbyteorder("<")
    if len(data) % dtype.itemsize:
        raise EdgeclfError(f"{who}: {len(data)} bytes are no whole number of {tensor.dtype}")
    return np.frombuffer(data, dtype)
