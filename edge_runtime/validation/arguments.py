"""The arguments of the public API: of another type than they should be is one line, too."""

import math
import operator
from collections.abc import Collection
from numbers import Real
from os import PathLike, fspath
from pathlib import Path
from typing import Any

from ..errors import EdgeclfError


def as_path(value: Any, *, name: str) -> Path:
    """Return the path that a caller gave for the argument `name`.

    Raises:
        EdgeclfError: it is neither a str nor a `Path`, or no file can have that name.
    """
    text = fspath(value) if isinstance(value, str | PathLike) else None
    if not isinstance(text, str) or not text or "\0" in text:
        raise EdgeclfError(
            f"{name} {value!r:.80}: give the path of a file or folder, a str or pathlib.Path, "
            "not empty and without a null character"
        )
    return Path(text)


def as_whole(value: Any, *, name: str, least: int, most: int | None = None, mend: str) -> int:
    """Return a whole number of Python or NumPy as an int.

    Args:
        value: as given.
        name: of the argument.
        least: the smallest that is taken.
        most: the largest that is taken; None for no limit.
        mend: what to give, for the error.

    Raises:
        EdgeclfError: it is none, or outside of that range.
    """
    try:
        number = None if isinstance(value, bool) else operator.index(value)
    except TypeError:
        number = None
    if number is None or number < least or (most is not None and number > most):
        raise EdgeclfError(f"{name} {_shown(value)}: {mend}")
    return number


def as_score(value: Any, *, name: str) -> float:
    """Return a score from 0 to 1, a number of Python or NumPy, as a float.

    Raises:
        EdgeclfError: it is none.
    """
    try:
        is_number = isinstance(value, Real) and not isinstance(value, bool)
        score = float(value) if is_number else math.nan
    except OverflowError:
        score = math.inf
    if not 0 <= score <= 1:
        raise EdgeclfError(f"{name} {_shown(value)}: give a score from 0 to 1")
    return score


def check_choice(value: Any, *, name: str, known: Collection[str]) -> None:
    """Raise EdgeclfError unless `value` is one of `known`."""
    if not isinstance(value, str) or value not in known:
        raise EdgeclfError(f"{name} {_shown(value)}: give one of {', '.join(known)}")


def _shown(value: Any) -> str:
    """Return the value as one short line; of a huge number, what it is."""
    try:
        return " ".join(f"{value!r}".split())[:80]
    except ValueError:  # a whole number with thousands of digits
        return f"of type {type(value).__name__}"
