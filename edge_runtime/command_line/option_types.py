"""What the numbers of options may be, for the options of all commands."""

import math
from typing import Any

import click

# What NumPy, Keras and the files of a run take.
SEED = click.IntRange(0, 2**32 - 1)


class FiniteRange(click.FloatRange):
    """A number in a range, without its end where none is given: neither nan nor inf."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the number that `value` is, or refuse it."""
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{value!s:.40} is not a finite number.", param, ctx)
        return number


def whole_number(text: str, *, most: int) -> int | None:
    """Return the whole number from 0 to `most` that `text` writes in ASCII digits, else None."""
    if not (text.isascii() and text.isdecimal() and len(text) <= len(str(most))):
        return None
    number = int(text)
    return number if number <= most else None
