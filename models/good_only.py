"""The two labels of a model that has seen good images only. Light: importing this loads nothing."""

from collections.abc import Sequence

GOOD, DEFECT = GOOD_ONLY_LABELS = ("good", "defect")

# What a folder of good images is called, in any case.
USUAL_GOOD = ("good", "ok", "normal")


def is_good_only(labels: tuple[str, ...]) -> bool:
    """Return whether these are the labels of such a model.

    A classifier that knows both classes has its labels in the order of the alphabet.
    """
    return labels == GOOD_ONLY_LABELS


def usual_good(classes: Sequence[str]) -> str | None:
    """Return the one of `classes` that has a usual name for good images, if just one has."""
    found = [name for name in classes if name.casefold() in USUAL_GOOD]
    return found[0] if len(found) == 1 else None
